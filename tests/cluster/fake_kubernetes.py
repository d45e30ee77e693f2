"""Snakemake's command with a Kubernetes cluster replaced by this machine: each job that is sent there is run here.

Usage: FAKE_KUBERNETES=FOLDER python fake_kubernetes.py --executor kubernetes ...

FOLDER/NAME/job.json is what the cluster would get, FOLDER/NAME/log what the job wrote. A job runs in its folder, with
FOLDER/bin first on its PATH; containers are run without their image.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes

FOLDER = Path(os.environ["FAKE_KUBERNETES"])


class Jobs:
    """The methods of `kubernetes.client.BatchV1Api` that the executor uses."""

    def __init__(self, pods: "Pods") -> None:
        self._pods = pods
        self._status: dict[str, SimpleNamespace] = {}

    def create_namespaced_job(self, _: str, body: kubernetes.client.V1Job) -> kubernetes.client.V1Job:
        """Start a job and write its specification to a file."""
        name = body.metadata.name
        folder = FOLDER / name
        folder.mkdir()
        specification = kubernetes.client.ApiClient().sanitize_for_serialization(body)
        (folder / "job.json").write_text(json.dumps(specification), encoding="utf-8")
        self._status[name] = SimpleNamespace(failed=0, succeeded=0)
        container = body.spec.template.spec.containers[0]
        threading.Thread(target=self._run, args=(name, container, folder), daemon=True).start()
        return body

    def _run(self, name: str, container: kubernetes.client.V1Container, folder: Path) -> None:
        command = [*container.command, *container.args]
        path = [str(FOLDER / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        secrets = {variable.name: self._pods.secret(variable.value_from.secret_key_ref) for variable in container.env}
        environment = {**os.environ, **secrets, "PATH": os.pathsep.join(path)}
        with (folder / "log").open("w") as log:
            done = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=False)
        self._status[name] = SimpleNamespace(failed=int(done.returncode != 0), succeeded=int(done.returncode == 0))

    def read_namespaced_job_status(self, name: str, _: str) -> SimpleNamespace:
        """How many pods of a job failed and succeeded."""
        return SimpleNamespace(status=self._status[name])

    def delete_namespaced_job(self, *_: Any, **__: Any) -> None:
        """Forget a job."""


class Pods:
    """The methods of `kubernetes.client.CoreV1Api` that the executor uses; it sees no pods."""

    def __init__(self) -> None:
        self._secrets: dict[str, dict[str, str]] = {}

    def secret(self, wanted: kubernetes.client.V1SecretKeySelector) -> str:
        """One value of a secret."""
        return base64.b64decode(self._secrets[wanted.name][wanted.key]).decode()

    def list_namespaced_pod(self, **_: Any) -> SimpleNamespace:
        """No pods."""
        return SimpleNamespace(items=[])

    def create_namespaced_secret(self, _: str, secret: kubernetes.client.V1Secret) -> None:
        """Keep a secret."""
        self._secrets[secret.metadata.name] = secret.data

    def delete_namespaced_secret(self, *_: Any, **__: Any) -> None:
        """Forget a secret."""


if __name__ == "__main__":
    pods = Pods()
    kubernetes.config.load_kube_config = lambda: None
    kubernetes.client.CoreV1Api = lambda: pods
    kubernetes.client.BatchV1Api = lambda: Jobs(pods)
    from snakemake.cli import main

    sys.exit(main(sys.argv[1:]))
