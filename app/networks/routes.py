"""The networks that jobs may use."""

from fastapi import APIRouter
from pydantic import Field

from app.http.problems import documented
from app.http.services import Context, Here
from app.networks import NetworkCard, get_card, list_cards
from app.networks.errors import UnknownNetwork
from app.networks.weights_folder import card_here

router = APIRouter(prefix="/v1/networks", tags=["networks"])


class NetworkView(NetworkCard):
    """A network, as it is here."""

    available: bool = Field(description="Whether its weights are here; if not, `download` says what to get.")


def view(here: Context, card: NetworkCard) -> NetworkView:
    """A network as it is shown: with the layers that its weights have here."""
    found = card_here(card, here.settings.weights.path)
    return NetworkView(**dict(found), available=found.sha256 is not None)


@router.get("")
def list_networks(here: Here) -> dict[str, list[NetworkView]]:
    """Every network, with its layers; those too whose weights are to be downloaded first."""
    return {"items": [view(here, card) for card in list_cards()]}


@router.get("/{name}", responses=documented(UnknownNetwork))
def get_network(here: Here, name: str) -> NetworkView:
    """A network, with its layers, their channels, strides and receptive fields."""
    try:
        card = get_card(name)
    except KeyError:
        raise UnknownNetwork(name, [card.name for card in list_cards()]) from None
    return view(here, card)
