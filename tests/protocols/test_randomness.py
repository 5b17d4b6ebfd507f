import torch

from tether.protocols.randomness import Draws

CPU = torch.device("cpu")


def drawn(draws: Draws, count: int = 2) -> list[float]:
    with draws.own():
        values: list[float] = torch.rand(count).tolist()
    return values


def test_two_streams_of_one_seed_draw_the_same_however_they_take_turns() -> None:
    a, b, alone = Draws(CPU, seed=1), Draws(CPU, seed=1), Draws(CPU, seed=1)

    first = [drawn(a), drawn(b)]
    second = [drawn(a), drawn(b)]

    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first[0] + second[0] == drawn(alone) + drawn(alone)


def test_streams_of_two_seeds_differ() -> None:
    assert drawn(Draws(CPU, seed=1)) != drawn(Draws(CPU, seed=2))


def test_what_is_drawn_outside_is_not_disturbed() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)

    drawn(Draws(CPU, seed=1))

    assert torch.rand(2).tolist() == expected


def test_without_a_seed_it_goes_on_from_torchs_own_stream() -> None:
    torch.manual_seed(4)
    draws = Draws(CPU)

    assert drawn(draws) == torch.rand(2).tolist()
