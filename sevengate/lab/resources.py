"""The kinds that a lab's components read and write besides those that Sevengate knows (cluster/resources.py)."""

from typing import Final

from sevengate.cluster.resources import Resource

CONTROLLER_REVISIONS: Final = Resource("apps/v1", "ControllerRevision", "controllerrevisions")
CRON_JOBS: Final = Resource("batch/v1", "CronJob", "cronjobs")
DAEMON_SETS: Final = Resource("apps/v1", "DaemonSet", "daemonsets")
DEPLOYMENTS: Final = Resource("apps/v1", "Deployment", "deployments")
DISRUPTION_BUDGETS: Final = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ENDPOINTS: Final = Resource("v1", "Endpoints", "endpoints")
JOBS: Final = Resource("batch/v1", "Job", "jobs")
REPLICA_SETS: Final = Resource("apps/v1", "ReplicaSet", "replicasets")
SERVICE_ACCOUNTS: Final = Resource("v1", "ServiceAccount", "serviceaccounts")
STATEFUL_SETS: Final = Resource("apps/v1", "StatefulSet", "statefulsets")
