"""The networks that jobs may use."""

from http import HTTPStatus

from fastapi import APIRouter

from app.api.problems import ProblemError, documented
from app.networks import NetworkCard, get_card, list_cards

router = APIRouter(prefix="/v1/networks", tags=["networks"])


@router.get("")
def list_networks() -> dict[str, list[NetworkCard]]:
    """Every network, with its layers."""
    return {"items": list_cards()}


@router.get("/{name}", responses=documented(HTTPStatus.NOT_FOUND))
def get_network(name: str) -> NetworkCard:
    """A network, with its layers, their channels, strides and receptive fields."""
    try:
        return get_card(name)
    except KeyError:
        known = ", ".join(card.name for card in list_cards())
        detail = f"There is no network {name!r}. Networks: {known}."
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_network", detail) from None
