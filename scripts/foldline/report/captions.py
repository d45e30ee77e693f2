"""Title of every figure of the report, and how to read it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Caption:
    """Title of a figure, and the text beside it."""

    title: str
    text: str


# A figure of labels with exactly one class per image only.
CONFUSION = "confusion"
# By name of the figure, which is also the name of its PNG file.
CAPTIONS = {
    "training_images": Caption(
        "Training images",
        "Images from the shards with their labels; the labels take turns. If samples have several channels, each row "
        "shows one sample: first all channels as a color composite, then each channel alone. If the channels of a row "
        "do not show the same field of view, the input data combine channels of different samples.",
    ),
    "class_balance": Caption(
        "Labels and class weights",
        "Left: number of images with each label. Right: weight of an image with that label in the loss, for each "
        "held-out fold. If all weights are 1, class weights are off; if they are far apart, rare labels count more.",
    ),
    "folds": Caption(
        "Rows and positives per fold",
        "In a good split all bars have the same length and the same share of positives. Groups are never divided, so "
        "small differences remain. External images, if there are any, are used for training only and never scored; "
        "those that share a group or a duplicate with a fold are withheld while that fold is held out.",
    ),
    "learning_curves": Caption(
        "Learning curves",
        "Loss, ROC AUC and accuracy on the training rows (dashed) and on the held-out fold (solid), one color per "
        "fold. A solid line of the loss that rises while its dashed line falls indicates overfitting. If the AUC of "
        "one fold is far below the others, look at its images. The values of the training rows are those of the "
        "training steps, with dropout and augmentation, so they can be worse than those of the held-out fold. Right: "
        "learning rate at the end of each epoch.",
    ),
    "architectures": Caption(
        "Network architectures",
        "From the image on the left to one logit per class on the right. Each box groups the layers whose output has "
        "the same resolution: its height shows the resolution on a logarithmic scale, its shade the number of "
        "channels or units. Red boxes process metadata. The text under a box gives its last output shape, its layers "
        "and its weights.",
    ),
    "augmented_samples": Caption(
        "Augmented training images",
        "The first image of each row is a stored training image, the other seven are augmented versions of it as a "
        "model of fold 0 that reads images sees them. If you can no longer recognize the label in a row, the "
        "augmentation is too strong.",
    ),
    "roc": Caption(
        "ROC curves",
        "Share of the positives that are detected (true positive rate) against share of the negatives that raise a "
        "false alarm (false positive rate), over all thresholds. Curves closer to the upper left corner are better; "
        "the diagonal is chance.",
    ),
    "precision_recall": Caption(
        "Precision-recall curves",
        "Precision is the share of the predicted positives that are positive, recall the share of the positives that "
        "are detected. The dotted line is chance, at the share of positives. If positives are rare, this figure says "
        "more than the ROC curve.",
    ),
    "score_histogram": Caption(
        "Scores by label",
        "Two peaks far apart mean that the scores separate the labels. Where the histograms overlap, no threshold is "
        "right for all images.",
    ),
    "calibration": Caption(
        "Calibration",
        "On the diagonal, scores are probabilities: three in ten images with a score of 0.3 are positive. Points "
        "below it mean that scores are too high, points above it that they are too low. Vertical bars are "
        "confidence intervals; the lower panel shows the number of rows in each bin.",
    ),
    CONFUSION: Caption(
        "Confusion matrix",
        "Each row is a true class, each column a predicted class. A cell has its number of "
        "images and shows their share of the true class as its shade; the shares on the diagonal are the recall. "
        "Images beside the diagonal are errors: dark cells there are classes that the models confuse.",
    ),
    "most_wrong": Caption(
        "Out-of-fold images with the largest errors",
        "Images whose score is furthest from their label, the worst first. A red frame marks a positive with a low "
        "score, a blue frame a negative with a high score.",
    ),
}


# Lines of the figures of curves.
_FOLD_LINES = (
    "Thin lines are single folds and the thick line pools all rows; if it runs below most folds, the models of the "
    "folds score on different scales."
)
_CLASS_LINES = "Thin lines are classes, each against all others; the thick line pools all pairs of image and class."
# What differs where labels are classes instead of positives and negatives.
OF_CLASSES = {
    "class_balance": Caption(
        "Classes and class weights",
        "Left: number of images of each class. Right: weight of its images in the loss, for each held-out fold. If "
        "all weights are 1, class weights are off; if they are far apart, rare classes count more. Images without a "
        "class are shown only if they have another weight. Classes are in the order of the configuration.",
    ),
    "folds": Caption(
        "Images of each class per fold",
        "In a good split the counts within a column are similar. Groups are never divided, so small differences "
        "remain. External images, if there are any, are used for training only and never scored; those that share a "
        "group or a duplicate with a fold are withheld while that fold is held out.",
    ),
    "roc": Caption(
        "ROC curves",
        "Share of the images of a class that are detected (true positive rate) against share of the other images that "
        "raise a false alarm (false positive rate), over all thresholds. Curves closer to the upper left corner are "
        "better; the diagonal is chance.",
    ),
    "precision_recall": Caption(
        "Precision-recall curves",
        "Precision is the share of the images predicted as a class that have it, recall the share of the images of "
        "the class that are detected. The dotted line is chance, at the share of the classes. If a class is rare, "
        "this figure says more than the ROC curve.",
    ),
    "score_histogram": Caption(
        "Scores with and without the class",
        "Each image counts once for each class. Two peaks far apart mean that the scores separate images with the "
        "class from those without it. Where the histograms overlap, no threshold is right for all images.",
    ),
    "calibration": Caption(
        "Calibration",
        "On the diagonal, scores are probabilities: three in ten images with a score of 0.3 for a class have it. "
        "Points below it mean that scores are too high, points above it that they are too low. Each image counts once "
        "for each class. Vertical bars are confidence intervals; the lower panel shows the number of scores in each "
        "bin.",
    ),
    "most_wrong": Caption(
        "Out-of-fold images with the largest errors",
        "Images with a score for a class that is furthest from their label, the worst first, each of them once with "
        "its worst class. A red frame marks a class that the image has and that got a low score, a blue frame one "
        "that it does not have and that got a high score.",
    ),
}
OF_ONE_CLASS_PER_IMAGE = {
    "most_wrong": Caption(
        "Out-of-fold images with the largest errors",
        "Images whose true class has the lowest probability, the worst first, each of them once, with that "
        "probability and the class with the highest one. A red frame marks a wrong prediction, a blue frame a correct "
        "one.",
    ),
}


def caption_of(name: str, *, classes: int, scored: int, one_class_per_image: bool) -> Caption:
    """Title of a figure and how to read it, in the language of the labels.

    Args:
        name: one of `CAPTIONS`.
        classes: number of classes.
        scored: number of classes that are scored.
        one_class_per_image: whether each image has exactly one class of several.
    """
    found = CAPTIONS[name]
    if classes > 1:
        found = OF_CLASSES.get(name, found)
    if one_class_per_image:
        found = OF_ONE_CLASS_PER_IMAGE.get(name, found)
    if name in ("roc", "precision_recall"):
        return replace(found, text=f"{found.text} {_CLASS_LINES if scored > 1 else _FOLD_LINES}")
    return found


def figure_names(*, one_class_per_image: bool) -> list[str]:
    """Names of the figures of a report."""
    return [name for name in CAPTIONS if name != CONFUSION or one_class_per_image]
