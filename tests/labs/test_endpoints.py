"""The public API as a contract: every endpoint at its defaults, at every bound and beyond."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from labs import LABS
from labs.controls import specs
from tests.labs.strategies import bounds, outside

QUICK = {"sde": {"steps": 5, "particles": 100, "training": 20}, "flash_attention": {}}
DEAR = {("sde", "show", "distance"), ("flash_attention", "show", "time")}


@pytest.fixture(scope="module")
def client(address):
    client = Client(address, verbose=False)
    yield client
    client.close()


def public(lab):
    return [f"/{lab.slug}", *(f"/{lab.slug}_{name}" for name in lab.actions)]


def test_the_api_is_exactly_the_labs_and_their_actions(client):
    listed = client.view_api(return_format="dict")["named_endpoints"]
    assert set(listed) == {endpoint for lab in LABS for endpoint in public(lab)}
    for lab in LABS:
        names = [p["parameter_name"] for p in listed[f"/{lab.slug}"]["parameters"]]
        assert names == list(specs(lab.settings))


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
def test_defaults_give_the_scene_of_the_page(client, lab):
    scene = client.predict(api_name=f"/{lab.slug}")
    assert scene["link"] == f"lab={lab.slug}"
    assert scene["views"]
    assert scene["badge"]["ok"]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
def test_every_bound_is_served(client, lab):
    for name, spec in specs(lab.settings).items():
        for value in bounds(spec, getattr(lab.settings(), name)):
            if (lab.slug, name, value) in DEAR:
                continue
            scene = client.predict(api_name=f"/{lab.slug}", **QUICK[lab.slug] | {name: value})
            assert scene["settings"][name] == value


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
def test_all_beyond_is_refused_with_a_sentence(client, lab):
    for name, spec in specs(lab.settings).items():
        for value in outside(spec):
            if value != value or isinstance(value, float) or value == 10**400:
                continue  # JSON has no such number
            with pytest.raises(AppError, match=name):
                client.predict(api_name=f"/{lab.slug}", **{name: value})


def test_an_action_answers_with_a_patch_and_refuses_what_lies_outside(client):
    patch = client.predict(x=0.5, y=0.5, api_name="/sde_particle", **QUICK["sde"])
    assert patch["patch"]
    with pytest.raises(AppError, match="x must be between"):
        client.predict(x=99, y=0.5, api_name="/sde_particle")
