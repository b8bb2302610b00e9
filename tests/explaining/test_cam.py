"""Class activation maps on functions whose gradients are known."""

from collections import OrderedDict

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightdet.explaining.cam import captured, grad_cam, heat_of, hires_cam


@given(st.integers(0, 1000))
def test_the_two_agree_where_the_network_averages_first(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(5, 4, 6, generator=generator)
    constant = torch.randn(5, 1, 1, generator=generator).expand(5, 4, 6)
    torch.testing.assert_close(hires_cam(features, constant), grad_cam(features, constant))


def test_only_what_the_score_reads_is_hot() -> None:
    """The score reads one cell of a map full of the same values: Grad-CAM cannot tell which, HiResCAM does."""
    features = torch.ones(1, 2, 4, 4, requires_grad=True)
    score = features[0, 0, 1, 3] * 2 + features[0, 1, 1, 3]
    exact = heat_of(score, [features], (4, 4), "hires-cam")
    assert exact.nonzero().tolist() == [[1, 3]]
    assert exact[1, 3] == 3
    assert (heat_of(score, [features], (4, 4), "grad-cam") > 0).all()


def test_what_speaks_against_the_score_is_cold() -> None:
    features = torch.ones(1, 1, 2, 2, requires_grad=True)
    heat = heat_of(features[0, 0, 0, 0] - features[0, 0, 1, 1], [features], (2, 2))
    assert heat.tolist() == [[1, 0], [0, 0]]


def test_coarse_and_fine_maps_add_up_as_densities() -> None:
    """The same sum of evidence gives the same sum of heat, whatever the size of the cells; an unread map gives none."""
    coarse, fine, unread = (torch.ones(1, 1, n, n, requires_grad=True) for n in (2, 8, 4))
    score = 16 * coarse.sum() / 4 + 16 * fine.sum() / 64
    heat = heat_of(score, [coarse, fine, unread], (16, 16))
    assert torch.isclose(heat.sum(), torch.tensor(32.0))
    assert torch.allclose(heat, heat[0, 0])


def test_centred_maps_say_nothing_of_what_is_everywhere() -> None:
    features = torch.ones(1, 1, 3, 3)
    features[0, 0, 1, 1] = 5.0
    features.requires_grad_()
    assert heat_of(features.sum(), [features], (3, 3), centred=True).argmax() == 4
    flat = torch.full((1, 1, 3, 3), 7.0, requires_grad=True)
    assert not heat_of(flat.sum(), [flat], (3, 3), centred=True).any()


def test_maps_are_kept_as_they_were_before_an_operation_in_place() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)).requires_grad_(False)
    picture = torch.randn(1, 1, 4, 4)
    with captured(network[0]) as maps:
        score = network(picture)[0, 0, 0, 0]
    torch.testing.assert_close(maps[0], network[0](picture))
    (gradient,) = torch.autograd.grad(score, maps)
    torch.testing.assert_close(gradient[0, 0], (maps[0][0, 0] > 0).float() / 16)


def test_every_map_of_a_tuple_or_mapping_is_kept() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
            return OrderedDict(both=(x, 2 * x))

    module = Two()
    with captured(module) as maps:
        result = module(torch.ones(1, 1, 2, 2))
    assert [float(m.detach().max()) for m in maps] == [1.0, 2.0]
    assert isinstance(result, OrderedDict)
    assert len(module._forward_hooks) == 0
