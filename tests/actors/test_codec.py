"""Values come back as they went; what does not travel, and what is malformed, says so."""

from __future__ import annotations

import dataclasses
import enum
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, cast

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.pretend import Pretend
from tether.actors import Group, codec, forms, tensors
from tether.actors.group import live_group, live_of
from tether.actors.membership import Membership
from tether.actors.message import Body, Part
from tether.actors.plain import INLINE, plain_body
from tether.actors.ref import Office, make_ref


@dataclasses.dataclass(frozen=True)
class Update:
    weight: int
    inner: Any


@dataclasses.dataclass(kw_only=True)
class Keyed:
    a: int
    b: str = "b"


class Pair(NamedTuple):
    first: Any
    second: Any


DTYPES = sorted(name for name in tensors.DTYPES if hasattr(torch, name))
RECORDS = {cls.__name__: cls for cls in (Update, Keyed, Pair)}


def back(value: Any) -> Any:
    return codec.decode(codec.encode(value), records=RECORDS)


keys = st.text() | st.integers(-(2**63), 2**63) | st.binary() | st.booleans() | st.none()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner)
    | st.builds(Update, st.integers(), inner) | st.builds(Pair, inner, inner),
    max_leaves=20,
)  # fmt: skip


def types(value: Any) -> Any:
    """Return the shape of a value in types: equal values may differ in them."""
    if isinstance(value, list | tuple):
        return type(value), [types(item) for item in value]
    if isinstance(value, dict):
        return dict, [(types(key), types(item)) for key, item in value.items()]
    return types(value.inner) if isinstance(value, Update) else type(value)


@given(values)
def test_a_value_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    again = back(value)

    assert again == value
    assert types(again) == types(value)


def test_lists_and_dicts_come_back_fresh() -> None:
    value = {"x": [1, [2]]}

    again = back(value)
    again["x"][1].append(3)

    assert value == {"x": [1, [2]]}


def test_tuples_stay_tuples_even_as_keys() -> None:
    assert back({(1, 2): ((), [()])}) == {(1, 2): ((), [()])}


def test_a_dataclass_of_keywords_comes_back() -> None:
    assert back(Keyed(a=1, b="c")) == Keyed(a=1, b="c")


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**40, 2**64 - 1])
def test_integers_have_no_limit(value: int) -> None:
    assert back(value) == value


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({1, 2}, "builtins.set"),
        (Fraction(1, 2), "fractions.Fraction"),
        (Colour.RED, "test_codec.Colour"),
        (np.float32(1), "numpy.float32"),
        (object(), "builtins.object"),
        (lambda: 0, "builtins.function"),
        (Update, "builtins.type"),
        (1j, "builtins.complex"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
    ],
)
def test_what_does_not_travel_is_named(value: Any, name: str) -> None:
    for nested in (value, [value], {"x": (value,)}):
        with pytest.raises(TypeError, match=rf"a \S*{name} does not travel; None, bool, int"):
            codec.encode(nested)


def in_one_another(depth: int, shell: Callable[[Any], Any]) -> Any:
    """Return a value with so many shells around it."""
    value: Any = 1
    for _ in range(depth):
        value = shell(value)
    return value


SHELLS: list[tuple[Callable[[Any], Any], int]] = [
    (lambda value: (value,), codec.DEPTH),
    (partial(Update, 1), codec.DEPTH),
    (lambda value: [value], 500),
]


@pytest.mark.parametrize(("shell", "limit"), SHELLS)
def test_what_is_nested_travels_up_to_a_depth(shell: Callable[[Any], Any], limit: int) -> None:
    deepest = in_one_another(limit, shell)
    assert back(deepest) == deepest
    with ThreadPoolExecutor(1) as thread:  # whose stack may be smaller
        assert thread.submit(back, deepest).result() == deepest

    for deeper in (in_one_another(limit * 3, shell), in_one_another(100_000, shell)):
        with pytest.raises(TypeError, match="nested so deep does not travel: 120 tuples, records"):
            codec.encode(deeper)


def test_one_more_than_the_depth_is_refused() -> None:
    with pytest.raises(TypeError, match="nested so deep does not travel"):
        codec.encode(in_one_another(codec.DEPTH + 1, partial(Update, 1)))


def test_what_holds_itself_does_not_travel() -> None:
    itself: list[Any] = []
    itself.append((itself,))

    with pytest.raises(TypeError, match="one that holds itself never does"):
        codec.encode(itself)


def test_a_failed_encoding_leaves_nothing_behind_for_the_next() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        codec.encode([1, 2, "left behind", {1}])

    assert codec.decode(codec.encode([3])) == [3]


def test_small_tensors_ride_in_the_structure_and_large_ones_beside_it() -> None:
    limit = INLINE // 4

    small, large = codec.encode(torch.zeros(limit)), codec.encode(torch.zeros(limit + 1))

    assert (len(small.parts), len(large.parts)) == (0, 1)
    assert large.parts[0].nbytes == INLINE + 4


def test_a_lendable_tensor_is_sent_in_place_and_any_other_copied() -> None:
    x = torch.ones(100_000)
    address = x.data_ptr()

    lent = codec.encode(x, lambda given: given == address).parts[0]
    copied = codec.encode(x).parts[0]
    x.zero_()

    assert (lent.address, copied.address) == (address, 0)
    assert (lent.value[0], copied.value[0]) == (0, 1)


def test_structure_that_came_as_the_last_part_is_decoded() -> None:
    body = codec.encode([torch.arange(10_000), "x"])
    data = np.frombuffer(body.data, np.uint8)
    moved = Body(b"", parts=(*body.parts, Part(len(data), memory=data)))

    tensor, text = codec.decode(moved)

    assert (tensor.sum().item(), text) == (49_995_000, "x")


class General(torch.Tensor):
    """A tensor that is encoded as any other, with no regard to its being small and plain."""


def general(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.as_subclass(General)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_small_tensor_is_encoded_as_any_other(dtype: str) -> None:
    kind: torch.dtype = getattr(torch, dtype)
    for shape in [(), (0,), (3,), (1, 5), (5, 1), (2, 0, 3), (200, 3), (8192,)]:
        size = int(np.prod(shape)) * kind.itemsize
        for _ in range(2):
            tensor = torch.randint(0, 256, (size,), dtype=torch.uint8).view(kind).reshape(shape)

            one, other = ([[x], {}] for x in (tensor, general(tensor)))
            assert codec.encode(one).data == codec.encode(other).data, shape


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.t(),
        lambda x: x[::2, 1:],
        lambda x: x.flip(0),
        lambda x: x[0].expand(7, -1),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.requires_grad_() * 2,
        lambda x: torch.complex(x, x).conj(),
        lambda x: torch.complex(x, x).conj().imag,
        lambda x: (x * 50).to(torch.uint8).view(torch.bool),
    ],
    ids=["turned", "strided", "flipped", "expanded", "leaf", "grad", "conj", "negated", "truths"],
)  # fmt: skip
def test_a_small_tensor_of_any_layout_is_encoded_as_any_other(make: Any) -> None:
    tensor = make(torch.arange(12.0).reshape(4, 3))

    assert codec.encode(tensor).data == codec.encode(general(tensor.detach())).data


def test_the_bytes_of_a_small_tensor_are_those_of_this_wire_version() -> None:
    tensor = torch.tensor([[1.5, -2.0]], dtype=torch.float64)

    data = codec.encode([[tensor], {}]).data

    assert data.hex() == (
        "9291c71e0293a7666c6f61743634920102c410000000000000f83f00000000000000c080"
    )


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 6, 1)])
def test_small_tensors_of_one_form_come_back_each_in_memory_of_its_own(
    shape: tuple[int, ...],
) -> None:
    sent = [torch.arange(6.0).reshape(shape) + k for k in range(3)]
    bodies = [codec.encode([[tensor], {}]) for tensor in sent]

    once = [codec.decode(body)[0][0] for body in bodies]
    again = [codec.decode(body)[0][0].add_(1) for body in bodies]

    for tensor, one, other in zip(sent, once, again, strict=True):
        assert torch.equal(one, tensor)
        assert torch.equal(other, tensor + 1)
        assert one.is_contiguous()
        assert one.stride() == tensor.stride()


def test_small_tensors_of_the_same_size_and_different_forms_keep_theirs() -> None:
    forms = [torch.arange(6.0).reshape(2, 3), torch.arange(6.0).reshape(3, 2)]
    forms += [torch.arange(6, dtype=torch.int32).view(2, 3), torch.arange(7.0), torch.ones(())]

    for tensor in [*forms, *forms[::-1], *forms]:
        again = codec.decode(codec.encode(tensor))

        assert (again.dtype, again.shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(again, tensor)


def test_no_more_forms_are_remembered_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "FORMS", 3)

    for size in range(1, 12):
        tensor = torch.arange(float(size))
        assert torch.equal(codec.decode(codec.encode(tensor)), tensor)

    assert len(forms._heads) <= 3
    assert len(codec._makers) <= 3
    assert len(forms._known) <= 3
    assert len(forms._ends) <= 3


@pytest.mark.device
def test_a_small_tensor_comes_out_on_the_device_that_is_wanted(device: torch.device) -> None:
    body = codec.encode(torch.arange(3.0))

    for _ in range(2):
        assert codec.decode(body, device=str(device)).device.type == device.type


@dataclasses.dataclass
class Nosy:
    """Encodes something else whenever it is looked at."""

    inner: Any

    def __getattribute__(self, name: str) -> Any:
        if name == "inner":
            codec.encode([torch.ones(3), (1, 2), torch.zeros(100_000)])
        return object.__getattribute__(self, name)


def test_what_is_encoded_amid_an_encoding_stays_out_of_it() -> None:
    value: list[Any] = [
        torch.arange(4.0),
        Nosy((torch.arange(20_000.0), "x")),
        torch.arange(30_000.0),
    ]

    body = codec.encode(value)

    assert [part.nbytes for part in body.parts] == [80_000, 120_000]
    first, nosy, last = codec.decode(body, records={"Nosy": Nosy})
    assert torch.equal(first, value[0])
    assert torch.equal(nosy.inner[0], value[1].inner[0])
    assert torch.equal(last, value[2])


def test_a_failed_encoding_leaves_no_part_behind_for_the_next() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        codec.encode([torch.zeros(100_000), {1}])

    assert codec.encode([torch.zeros(100_000)]).parts[0].nbytes == 400_000
    assert codec.encode([torch.zeros(1)]).parts == ()


class Lender:
    def owns(self, _address: int) -> bool:
        return False

    def take(self, nbytes: int) -> Any:
        return np.empty(nbytes, np.uint8)


def test_whose_memory_was_asked_for_is_let_go_of() -> None:
    lender = Lender()
    gone = weakref.ref(lender)

    codec.encode([torch.zeros(100_000), (1,)], lender.owns, lender.take)
    del lender

    assert gone() is None


def ext(code: int, *content: Any) -> Body:
    return Body(msgpack.packb(msgpack.ExtType(code, msgpack.packb(list(content)))))


def nested(code: int) -> Body:
    data = b"\x90"
    for _ in range(10_000):
        data = msgpack.packb(msgpack.ExtType(code, data))
    return Body(data)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (Body(b"\xc1"), "a body of 1 bytes is malformed: FormatError"),
        (nested(codec.TUPLE), "^more than 120 extensions stand in one another$"),
        (nested(forms.TENSOR), "^more than 120 extensions stand in one another$"),
        (Body(b""), "Unpack failed"),
        (ext(99, "", [], b""), "extension 99 is not one of this wire version"),
        (ext(codec.RECORD, "Other", []), "a Other came, but the handler's signature names no such"),
        (ext(codec.RECORD, "Update", [1]), "argument 2 is shorter"),
        (ext(codec.RECORD, "Pair", [1]), "a body of .* bytes is malformed: TypeError"),
        (ext(forms.TENSOR, "float32", [3], 0), "part 0 is named, but 0 came"),
        (ext(forms.TENSOR, "float32", [3], b"1234"), r"shape \[3\] of 4-byte items needs 12 bytes"),
        (ext(forms.TENSOR, "float32", [-1, -1], b"1234"), r"shape \[-1, -1\] of 4-byte items"),
        (ext(forms.TENSOR, "system", [1], b"1"), "a tensor of dtype 'system' is announced"),
        (ext(codec.ARRAY, "O", [1], b"12345678"), "an array of dtype 'O' is announced"),
        (ext(codec.ARRAY, "<f4", [2], b"1234"), r"shape \[2\] of 4-byte items needs 8 bytes"),
        (Body(b"\xc7\x01\x04a"), "a handle on a came where no handle can be made"),
        (ext(codec.ARRAY, "nonsense", [1], b"1"), "a body of .* is malformed: TypeError"),
        (ext(codec.INTEGER), "invalid literal for int"),
        (ext(codec.GROUP, ["worker/0"], "worker", 3), "a handle on .* came where no handle can"),
    ],
)
def test_a_malformed_body_is_refused(body: Body, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        codec.decode(body, records=RECORDS)


def nobody(_name: str) -> Any:
    raise LookupError("a name was looked up")


async def no_resize(_table: str, _size: int) -> None: ...


def handle(name: str) -> Any:
    return make_ref(name, cast("Office", None))


def sent(without: str = "") -> tuple[Membership, Body]:
    """Return a membership, and a live group of it on its way."""
    membership = Membership({"worker": ("worker/0", "worker/1")})
    return membership, codec.encode([live_group("worker", membership, handle, no_resize, without)])


@pytest.mark.parametrize("without", ["", "worker/1"])
def test_a_live_group_comes_out_live_where_its_membership_is(without: str) -> None:
    membership, body = sent(without)

    def group(table: str, without: str) -> Any:
        return live_group(table, membership, handle, no_resize, without)

    (arrived,) = codec.decode(body, ref=nobody, group=group)
    membership.join("worker/2")

    assert live_of(arrived) == ("worker", without)
    members = ("worker/0", "worker/1", "worker/2")
    assert list(arrived) == [handle(name) for name in members if name != without]


def test_a_live_group_is_fixed_where_nobody_knows_its_membership() -> None:
    membership, body = sent("worker/1")

    (arrived,) = codec.decode(body, ref=handle)
    membership.join("worker/2")

    assert live_of(arrived) is None
    assert list(arrived) == [handle("worker/0")]


@pytest.mark.parametrize("names", [[], ["worker/1"], ["worker/1", "worker", "center"]])
def test_a_fixed_group_stays_one_whatever_its_names(names: list[str]) -> None:
    body = codec.encode(Group([handle(name) for name in names]))

    arrived = codec.decode(body, ref=handle, group=lambda table, without: nobody(table))

    assert live_of(arrived) is None
    assert arrived == Group([handle(name) for name in names])


@given(st.binary(max_size=100))
def test_random_bodies_are_never_more_than_a_value_error(data: bytes) -> None:
    try:
        codec.decode(Body(data), records=RECORDS)
    except ValueError:
        return


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_bodies_are_never_more_than_a_value_error(flips: list[tuple[int, int]]) -> None:
    value = [(1, "x"), Update(1, torch.ones(3)), np.ones(2), {"k": Pair(2**70, b"")}]
    data = bytearray(codec.encode(value).data)
    for at, byte in flips:
        data[at % len(data)] = byte

    try:
        codec.decode(Body(bytes(data)), records=RECORDS)
    except ValueError:
        return


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4))
def test_a_mutated_small_tensor_is_what_it_is_to_one_who_knows_no_forms(
    flips: list[tuple[int, int]],
) -> None:
    valid = codec.encode([[torch.arange(4.0)], {}])
    codec.decode(valid)
    data = bytearray(valid.data)
    for at, byte in flips:
        data[at % len(data)] = byte

    def outcome() -> Any:
        try:
            return repr(codec.decode(Body(bytes(data))))
        except ValueError as error:
            return str(error)

    knowing = outcome()
    codec._makers.clear()
    forms._known.clear()

    assert outcome() == knowing


def test_what_lies_on_a_gpu_is_a_part_however_small_and_waits_behind_a_fence(gpu: Pretend) -> None:
    gpu.work()

    def on_gpu(value: Any) -> Body:
        return codec.encode(value, take_on=lambda device, nbytes: None)

    small, none, empty = (
        on_gpu(torch.ones(size, dtype=dtype))
        for size, dtype in ((1, torch.bfloat16), (1, torch.float32), (0, torch.bfloat16))
    )

    assert [len(body.parts) for body in (small, none, empty)] == [1, 0, 0]
    assert [[fence.passed for fence in body.fences] for body in (small, none)] == [[False], []]
    gpu.finish()
    assert [fence.passed for fence in small.fences] == [True]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ([["x", 2.5, None, {"a": b"b"}], {}], True),
        ([2**64, -(2**63) - 1], False),
        ([(1, 2)], False),
        ([[torch.ones(3)], {}], False),
        ([torch.ones(100_000)], False),
    ],
)
def test_a_body_says_whether_all_of_it_is_msgpacks_own(value: Any, plain: bool) -> None:
    assert codec.encode(value).plain is plain
    assert (plain_body(value) is not None) is plain
