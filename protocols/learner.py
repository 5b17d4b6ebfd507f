"""What is being learned, seen by a protocol as one flat vector x and the gradient at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tether.actors import buffer, debug
from tether.actors.buffers import lent
from tether.actors.compute import Job, off_loop
from tether.actors.restoring import together
from tether.protocols.functional import Loss, Objective
from tether.protocols.keeping import fill
from tether.protocols.randomness import Draws
from tether.protocols.stream import Stream, moved
from tether.protocols.vector import Parameters, check_like

P = ParamSpec("P")
R = TypeVar("R")


class Learner:
    """A model, the scalar `loss(model, batch)` it minimises, its batches and its optimizer.

    All work runs in the acting actor's thread, one piece at a time, with random numbers of its own
    and under the name of the method that was called.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batches: Iterable[Any] = (),
        optimizer: Optimizer | None = None,
        schedule: LRScheduler | None = None,
        device: torch.device | None = None,
        seed: int | None = None,
    ) -> None:
        self.model = model if device is None else model.to(device)
        self.optimizer = optimizer
        self.schedule = schedule
        self.loss = torch.tensor(torch.nan)
        """The loss of the last gradient's batch, a tensor without dimensions."""
        self.resumed = False
        """Whether x came with the last state that was loaded and `begin` has not been called."""
        self._parameters = Parameters(model)
        self._parameters.settle(self._memory())
        self._objective = Objective(model, loss, self._parameters)
        self._draws = Draws(self.device, seed)
        with self._draws.own():
            self._stream = Stream(batches)

    @property
    def device(self) -> torch.device:
        """Where x, the gradient, the optimizer's state and the batches are."""
        return self._parameters.device

    @property
    def x(self) -> Tensor:
        """The parameters, flat and in transport memory: to read and to send; `apply` writes them.

        Ask for it anew after an `apply` or a `step`: x moves if its memory is still lent then.
        """
        return self._parameters.x

    @property
    def eta(self) -> float:
        """The learning rate η that the optimizer has now in all its parameter groups."""
        rates = {float(group["lr"]) for group in self._moving().param_groups}
        if len(rates) > 1:
            raise ValueError(f"the optimizer has learning rates {sorted(rates)}, but one is wanted")
        return rates.pop()

    async def gradient(self, at: Tensor | None = None, batch: Any = None) -> Tensor:
        """Return the gradient at x, or at another flat vector, on the next batch or on this one.

        The vector is the learner's own, valid until the next gradient. x is left alone; where `at`
        holds the same values the result has the same bits.
        """
        return await self._work("gradient", lambda: self._gradient(at, batch))

    async def gradients(self, at: Tensor, batches: Any) -> Tensor:
        """Return the gradients (K × n) at K points (K × n) on K batches, stacked in dimension 0.

        One pass serves a cohort of simulated clients. The model may have no running statistics.
        """
        each = vmap(grad(self._objective.value), randomness="different")
        return await self._work("gradients", lambda: each(at, moved(batches, self.device)))

    async def hessian_product(self, v: Tensor, batch: Any, at: Tensor | None = None) -> Tensor:
        """Return H·v at x or at another flat vector; nothing of the training is changed."""
        return await self._work("hessian_product", lambda: self._hessian_product(v, batch, at))

    async def predict(self, inputs: Any, at: Tensor | None = None) -> Any:
        """Return the model's outputs in evaluation mode, without a gradient."""
        return await self._work("predict", lambda: self._predict(inputs, at))

    async def step(self, gradient: Tensor | None = None) -> None:
        """Let the optimizer move x along a gradient; without one, along that of the next batch."""
        await self._write("step", lambda: self._step(gradient))

    async def apply(
        self, kernel: Callable[Concatenate[Tensor, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `kernel(x, …)`, which may write x, off the loop, and return what it returns.

        `await learner.apply(Tensor.sub_, difference)` is x ← x − difference.
        """
        return await self._write("apply", lambda: kernel(self.x, *args, **kwargs))

    async def begin(self, pull: Callable[[], Awaitable[Tensor]]) -> None:
        """Begin at the x that `pull` returns, or at one's own where that has just been resumed."""
        if not self.resumed:
            await self.apply(Tensor.copy_, await pull())
        self.resumed = False

    async def compute(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function that does not write x off the loop, and return what it returns."""
        return await self._work("compute", lambda: function(*args, **kwargs))

    def buffers(self) -> dict[str, Tensor]:
        """Return copies of the model's buffers, such as BatchNorm's running statistics.

        They are no part of x: each learner keeps its own unless a protocol sends these.
        """
        return {name: value.detach().clone() for name, value in self.model.named_buffers()}

    def load_buffers(self, buffers: dict[str, Tensor]) -> None:
        """Take over the values of buffers with the same names."""
        for name, mine in self.model.named_buffers():
            mine.copy_(buffers[name])

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next steps depend on: x, buffers, optimizer, data cursor, draws."""
        return {
            "x": self.x,
            "buffers": self.buffers(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "data": self._stream.state_dict(),
            "draws": self._draws.states,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, bit for bit.

        x is left as it is by a state without one. One that comes back alone, into a run that went
        on, has the x that was kept only until it begins: a newer one is got from those that did.
        """
        self.resumed = together.get() and "x" in state
        if "x" in state:
            fill("x", self.x, state["x"])
        self.load_buffers(state["buffers"])
        for part, kept in ((self.optimizer, "optimizer"), (self.schedule, "schedule")):
            if part:
                part.load_state_dict(deepcopy(state[kept]))
        with self._draws.own():
            self._stream.load_state_dict(state["data"])
        self._draws.states = [each.clone() for each in state["draws"]]

    async def _work(self, name: str, work: Callable[[], R]) -> R:
        return await off_loop(Job(name, self._alone), work)

    async def _write(self, name: str, work: Callable[[], R]) -> R:
        return await self._work(name, self._writing(work))

    def _writing(self, work: Callable[[], R]) -> Callable[[], R]:
        # An exchange whose await ended early may still read x: what follows is written elsewhere.
        fresh = self._memory() if lent(self.x) else None
        return work if fresh is None else lambda: self._resettled(fresh, work)

    def _alone(self, work: Callable[[], R]) -> R:
        with self._draws.own(), torch.no_grad():
            return work()

    def _resettled(self, fresh: Tensor, work: Callable[[], R]) -> R:
        self._parameters.settle(fresh)
        return work()

    def _memory(self) -> Tensor:
        x = buffer(self._parameters.count, self._parameters.dtype)
        return x if x.device == self.device else x.to(self.device)

    def _gradient(self, at: Tensor | None, batch: Any) -> Tensor:
        batch = moved(self._stream.take() if batch is None else batch, self.device)
        g = self._parameters.gradient().zero_()
        watched = self._parameters.unwritten() if debug.ON else nullcontext()
        with watched, self._parameters.at(at), torch.enable_grad():
            loss = self._objective(batch)
            loss.backward(inputs=self._parameters.each)
        self.loss = loss.detach()
        return g

    def _step(self, gradient: Tensor | None) -> None:
        optimizer = self._moving()
        g = self._gradient(None, None) if gradient is None else self._parameters.gradient()
        if gradient is not None and gradient is not g:
            check_like("the gradient", gradient, self.x)
            g.copy_(gradient)
        optimizer.step()
        if self.schedule:
            self.schedule.step()

    def _moving(self) -> Optimizer:
        if self.optimizer is None:
            raise ValueError(f"{type(self).__name__} has no optimizer, but a step needs one")
        return self.optimizer

    def _hessian_product(self, v: Tensor, batch: Any, at: Tensor | None) -> Tensor:
        with self._evaluating():
            batch = moved(batch, self.device)
            return self._objective.hessian_product(self.x if at is None else at, v, batch)

    def _predict(self, inputs: Any, at: Tensor | None) -> Any:
        with self._parameters.at(at), self._evaluating():
            return self.model(moved(inputs, self.device))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        before = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            yield
        finally:
            for module, training in before:
                module.training = training


class Learning:
    """An actor with a learner: all may look at its x."""

    learner: Learner

    async def pull(self) -> Tensor:
        """Return x as it is now."""
        return self.learner.x


class Supervised(Learner):
    """Any module with any loader of (inputs, targets), as `loss(model(inputs), targets)`.

    `seed` fixes what dropout and the like draw; the loader's order is the loader's own.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        loader: Iterable[Any],
        optimizer: Optimizer | None = None,
        schedule: LRScheduler | None = None,
        device: torch.device | None = None,
        seed: int | None = None,
    ) -> None:
        def of_batch(model: nn.Module, batch: Any) -> Tensor:
            inputs, targets = batch
            return loss(model(inputs), targets)

        super().__init__(model, of_batch, loader, optimizer, schedule, device, seed)
        self.loader = loader
        self._loss = loss

    async def measure(self, at: Tensor | None = None) -> dict[str, float]:
        """Return mean loss and accuracy over the loader, once through, in evaluation mode."""
        return await self._work("measure", lambda: self._measure(at))

    def _measure(self, at: Tensor | None) -> dict[str, float]:
        loss = right = count = 0.0
        with self._parameters.at(at), self._evaluating():
            for batch in self.loader:
                inputs, targets = moved(batch, self.device)
                outputs = self.model(inputs)
                loss += float(self._loss(outputs, targets)) * len(targets)
                right += int((outputs.argmax(-1) == targets).sum())
                count += len(targets)
        if not count:
            raise ValueError("the loader gave no batch to measure on, but one is wanted")
        return {"loss": loss / count, "accuracy": right / count}
