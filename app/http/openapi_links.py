"""Links of OpenAPI: what the answers that make something lead to, by the id in them."""

from collections.abc import Iterable
from typing import Any

JOB = (
    "get_job",
    "job_events",
    "cancel_job",
    "finish_job",
    "pause_job",
    "resume_job",
    "retry_job",
    "delete_job",
)
_IMAGE = ("get_image", "get_image_content", "get_image_recipe", "delete_image")
_BATCH = (
    "get_batch",
    "batch_events",
    "list_batch_entries",
    "get_batch_results",
    "get_batch_errors",
    "get_batch_archive",
    "get_batch_contact_sheet",
    "cancel_batch",
    "pause_batch",
    "resume_batch",
    "retry_batch",
    "delete_batch",
)
_DATASET = (
    "get_dataset",
    "list_members",
    "get_statistics",
    "get_contact_sheet",
    "add_members",
    "close_dataset",
    "relabel_dataset",
    "rename_dataset",
    "delete_dataset",
)
_NETWORK = ("get_network", "export_network", "rename_network", "delete_network")

# By operation and status: the parameter that is the id in the answer, where that is, and what takes it.
_LINKS: dict[str, tuple[tuple[str, ...], str, str, tuple[str, ...]]] = {
    "upload_image": (("201",), "image_id", "id", _IMAGE),
    "create_batch": (("202",), "batch_id", "id", _BATCH),
    "create_dataset": (("200", "201", "202"), "dataset", "id", _DATASET),
    "relabel_dataset": (("200", "201"), "dataset", "id", _DATASET),
    "import_network": (("201",), "name", "name", _NETWORK),
    "add_members": (("202",), "job_id", "id", JOB),
    "retry_job": (("202",), "job_id", "id", JOB),
    "create_job": (("200", "202"), "job_id", "id", JOB),
}


def add_links(operation: dict[str, Any], of_kind: bool) -> None:
    """Add the links of an operation's answers, and the header that names what was made."""
    found = _LINKS.get("create_job" if of_kind else operation.get("operationId", ""))
    if found is None:
        return
    statuses, parameter, member, operations = found
    for status in statuses:
        answer = operation["responses"][status]
        answer["links"] = dict(_links(parameter, member, operations))
        answer["headers"] = {
            "Location": {"schema": {"type": "string"}, "description": "The URL of what was made."}
        }


def _links(parameter: str, member: str, operations: Iterable[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    for operation in operations:
        yield (
            operation,
            {
                "operationId": operation,
                "parameters": {parameter: f"$response.body#/{member}"},
            },
        )
