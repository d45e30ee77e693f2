"""Plan the jobs of the models: further folds, class weights, training, predictions and exports."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.io.files import sha256_of_file
from foldline.io.result_paths import FINAL, Member
from foldline.planning.dataset_section import class_names_of, image_settings, labels_of
from foldline.planning.dataset_splits import TEST, TRAIN, has_test, labeled_splits
from foldline.planning.fold_plan import has_holdout, members, repeat_settings
from foldline.planning.model_section import (
    final_models,
    model_config,
    predicting_members,
    prediction_config,
    training_config,
    view_split,
)
from foldline.planning.workflow_plan import Job

Shards = Mapping[tuple[int, str], Sequence[Job]]
Trained = Mapping[tuple[str, Member], Job]


class ModelStages:
    """Adds the jobs of the models, one rule after the other."""

    def __init__(self, config: Mapping[str, Any], add: Callable[..., Job]):
        """Note what the jobs of all rules have in common.

        Args:
            config: the completed and checked configuration.
            add: adds a job of a rule to the plan, see `WorkflowPlan.add`.
        """
        self._config, self._dataset, self._add = config, config["dataset"], add
        self._members, self._predicting = members(config["folds"]), predicting_members(config)
        self._final = final_models(config)
        self._classes = {
            "class_names": class_names_of(self._dataset),
            "activation": labels_of(self._dataset).activation,
        }

    def repeat_folds(self, folds: Job) -> dict[int, Job]:
        """The jobs that write the fold tables, by repeat; `folds` is that of the first."""
        settings = repeat_settings(self._config["folds"], self._dataset)
        repeats = range(2, self._config["folds"]["repeats"] + 1)
        further = {
            repeat: self._add("repeat_folds", repeat=repeat, settings=settings, needs=[folds]) for repeat in repeats
        }
        return {1: folds, **further}

    def class_weights(self, folds: Mapping[int, Job]) -> dict[Member, Job]:
        """Jobs that weigh the classes, by member."""
        settings = {**self._config["class_weights"], **self._classes}
        return {
            member: self._add(
                "class_weights", member=member.name, settings=settings, needs=[folds[max(1, member.repeat)]]
            )
            for member in (*self._members, *([FINAL] if self._final else []))
        }

    def train_fold(
        self, shards: Shards, folds: Mapping[int, Job], class_weights: Mapping[Member, Job]
    ) -> dict[tuple[str, Member], Job]:
        """Training jobs by model and member."""
        return {
            (model, member): self._add(
                "train_fold",
                model=model,
                fold=str(member),
                **self._training(model, member, shards, [folds[member.repeat], class_weights[member]]),
            )
            for model in self._config["models"]
            for member in self._members
        }

    def train_final(
        self, shards: Shards, folds: Job, class_weights: Mapping[Member, Job], trained: Trained
    ) -> dict[tuple[str, Member], Job]:
        """Jobs that train on all rows, by model; the folds say for how many epochs."""
        return {
            (model, FINAL): self._add(
                "train_final",
                model=model,
                **self._training(
                    model,
                    FINAL,
                    shards,
                    [folds, class_weights[FINAL], *(trained[model, member] for member in self._members)],
                ),
            )
            for model in self._final
        }

    def _training(self, model: str, member: Member, shards: Shards, needs: Sequence[Job]) -> dict[str, Any]:
        """What the job of a training is added with, see `WorkflowPlan.add`; `needs` are its jobs beside the shards."""
        network, training = model_config(self._config, model), training_config(self._config, model, member)
        size, weights = network["image_size"], training["weights"]
        raw_files = {weights: sha256_of_file(weights)} if Path(weights).is_file() else {}
        # In the key, a weights file counts by its content and its format (suffix), not by its path.
        keyed = training | {"weights": Path(weights).suffix} if raw_files else training
        return {
            "settings": {
                "model_config": network,
                "training_config": keyed,
                "metadata_columns": self._dataset["metadata"] if "metadata" in network["inputs"] else {},
                **self._classes,
            },
            "needs": [*needs, *(job for split in labeled_splits(self._dataset) for job in shards[size, split])],
            "raw_files": raw_files,
            "runtime_arguments": {
                # The script gets the path of the weights file.
                "training_config": training,
                "accelerator": self._config["accelerator"],
                "checkpoints": self._config["checkpoints"],
            },
        }

    def predict(self, trained: Trained, shards: Shards, folds: Mapping[int, Job]) -> list[Job]:
        """Prediction jobs of all models and members, for the held-out fold, the test split and the holdout."""
        predictions = []
        for model in self._config["models"]:
            network = model_config(self._config, model)
            size = network["image_size"]
            common = {"runtime_arguments": {"accelerator": self._config["accelerator"]}}
            settings = {"model_config": network, **self._classes}
            held_out = {**settings, "prediction_config": prediction_config(self._config)}
            for member in self._members:
                needs = [trained[model, member], folds[member.repeat], *shards[size, TRAIN]]
                predictions.append(
                    self._add("predict_oof", model=model, fold=str(member), settings=held_out, needs=needs, **common)
                )
            for member in self._predicting:
                network_job, rules = trained[model, member], {}
                prediction = prediction_config(self._config, view_split(self._config, member))
                new = {**settings, "prediction_config": prediction}
                if has_test(self._dataset):
                    rules["predict_test"] = [network_job, *shards[size, TEST]]
                if has_holdout(self._config["folds"]):
                    rules["predict_holdout"] = [network_job, folds[1], *shards[size, TRAIN]]
                predictions += [
                    self._add(rule, model=model, member=member.name, settings=new, needs=needs, **common)
                    for rule, needs in rules.items()
                ]
        return predictions

    def export(self, trained: Trained, blend: Job) -> None:
        """The jobs that export each network and the ensemble; no other job needs them."""
        views = self._config["prediction"]["views"]
        common = {**self._classes, "images": image_settings(self._config), "views": views}
        for (model, member), job in trained.items():
            settings = {"model_config": model_config(self._config, model), **common}
            self._add("export_model", model=model, member=member.name, settings=settings, needs=[job])
        model_configs = {model: model_config(self._config, model) for model in self._config["models"]}
        splits = {member.name: view_split(self._config, member) for member in self._predicting}
        settings = {"model_configs": model_configs, "splits": splits, **common}
        networks = [job for (_, member), job in trained.items() if member in self._predicting]
        self._add("export_ensemble", settings=settings, needs=[*networks, blend])
