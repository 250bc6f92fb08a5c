"""The parameters of one client: train a share, apply what the chain accepted, say their digest.

Everything here is synchronous and runs on one worker thread; the node never touches the
parameters itself. No network and no chain: arrays and payload bytes in, the same out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from psyche_client.backward import gradients, mean_loss
from psyche_client.model.digest import digest, manifest
from psyche_client.model.document import ModelDocument
from psyche_client.model.init import initial_parameters
from psyche_client.model.lm import build, load, parameters_of
from psyche_client.optim import selftest
from psyche_client.optim.codec import Expectation, PayloadHeader, Selection, decode, encode
from psyche_client.optim.distro import DisTrO
from psyche_client.optim.errors import LayoutError, PayloadError
from psyche_client.optim.layout import Layout
from psyche_client.optim.local import Moments
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute
from psyche_client.payloads import PayloadKey, Trained
from psyche_client.ranks import RankError, Ranks

Parameters = dict[str, npt.NDArray[np.float32]]
HASH_BYTES = 32
_COMMITMENTS = "in_flight.commitments"


class Trainer:
    """Model, optimizer and payload form of one run."""

    def __init__(
        self,
        document: ModelDocument,
        *,
        instance: bytes,
        members_max: int,
        payload_bytes_max: int,
        compute: Compute | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        """Builds the model from the run's init seed; `ranks` compute gradients with this process.

        Raises:
            ExactnessError: this machine does not compute the exact inverse transform.
            RankError: a rank is gone, or the run's rule is not for several.
        """
        selftest.check()
        self.rule = UpdateRule.from_value(
            {**document.update_rule, "schedule": dict(document.schedule)}
        )
        self._document = document
        shapes = document.architecture.parameter_shapes()
        layout = Layout.from_shapes(shapes, embeddings=self.rule.embeddings)
        self.optimizer = DisTrO(layout, self.rule, members_max=members_max)
        self.layout_digest = layout.digest()
        self._sent: dict[tuple[int, int], bytes] = {}
        self.instance, self.payload_bytes_max = instance, payload_bytes_max
        self.model = build(
            document.architecture, initial_parameters(document.architecture, document.init_seed)
        )
        self._by_name = dict(self.model.named_parameters())
        self.compute = compute or Compute()
        self.model.model.recomputes = self.compute.recompute
        self._moments = Moments() if self.rule.local_state == "kept" else None
        if ranks is not None and self._moments is not None:
            raise RankError(
                "the run keeps AdamW's moments from round to round (local_state), which "
                "several ranks do not share: join it with one process"
            )
        self._gradients = gradients if ranks is None else ranks.gradients
        if ranks is not None:
            ranks.start(document, self.model, self.compute)

    @property
    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self._by_name.values())

    def parameters(self) -> Parameters:
        """A copy of the parameters by name."""
        return {name: np.array(value) for name, value in parameters_of(self.model).items()}

    def load(self, parameters: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Takes other parameters; the momentum starts at zero, for it belonged to the old ones."""
        load(self.model, parameters)
        self._forget_momentum()

    def _forget_momentum(self) -> None:
        self.optimizer.reset()
        if self._moments is not None:
            self._moments.reset()
        self._sent = {}

    def momentum_state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of the momentum, of what is in flight and of the payloads that carried it.

        And of AdamW's moments, where the rule keeps them.
        """
        state = {name: tensor.numpy() for name, tensor in self.optimizer.state_dict().items()}
        # What never became a payload has a hash that no payload has.
        sent = [self._sent.get(key, bytes(HASH_BYTES)) for key in self.optimizer.in_flight]
        state[_COMMITMENTS] = np.frombuffer(b"".join(sent), np.uint8).reshape(-1, HASH_BYTES)
        if self._moments is not None:
            state |= {name: one.numpy() for name, one in self._moments.state_dict().items()}
        return state

    def take_momentum(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes back what `momentum_state` gave when the parameters were the present ones.

        Rounds that this client trained after that moment are not in it: their gradients are lost,
        and what they sent was not taken out of this momentum. `settle` leaves it alone for them.

        Raises:
            LayoutError: it is another layout's, or damaged; the momentum is zero then.
        """
        self._forget_momentum()
        sent = state.get(_COMMITMENTS)
        try:
            self._take_tensors(
                {n: torch.from_numpy(a) for n, a in state.items() if n != _COMMITMENTS}
            )
        except TypeError as error:
            raise LayoutError(f"saved momentum has a type that none has: {error}") from error
        keys = self.optimizer.in_flight
        if sent is None or sent.dtype != np.uint8 or sent.shape != (len(keys), HASH_BYTES):
            self._forget_momentum()
            raise LayoutError("saved momentum needs one commitment for each round in flight")
        self._sent = {key: row.tobytes() for key, row in zip(keys, sent, strict=True)}

    def _take_tensors(self, state: dict[str, torch.Tensor]) -> None:
        moments = {name: state.pop(name) for name in list(state) if name.startswith("local.")}
        if self._moments is not None:
            shapes = {name: tuple(one.shape) for name, one in self._by_name.items()}
            self._moments.load_state_dict(moments, shapes)
        elif moments:
            raise LayoutError("saved moments of local steps are not for this run's rule")
        try:
            self.optimizer.load_state_dict(state)
        except LayoutError:
            self._forget_momentum()
            raise

    def load_initial(self) -> None:
        """Back to the parameters that the run's init seed gives."""
        seed, architecture = self._document.init_seed, self._document.architecture
        self.load(initial_parameters(architecture, seed))

    def manifest(self, step: int) -> bytes:
        """The manifest of the parameters as they are; its sha256 is their digest."""
        return manifest(parameters_of(self.model), step)

    def digest(self, step: int) -> bytes:
        """The digest of the parameters as they are."""
        return digest(self.manifest(step))

    def train(self, sequences: npt.NDArray[np.int64], key: PayloadKey) -> Trained:
        """The payload of `sequences` [n, tokens + 1], and their mean loss on the way.

        The parameters do not change: `gradients` says what is sent of which loss.
        """
        started = time.perf_counter()
        loss, found = self._gradients(
            self.model,
            self.rule,
            sequences,
            self.compute,
            step=key.step,
            moments=self._moments,
        )
        self.optimizer.give_back(key.round_key)  # a share that is trained again after a restart
        selection = self.optimizer.generate(found, key.round_key, step=key.step)
        del found
        self.model.zero_grad(set_to_none=True)  # their memory is free while the round settles
        payload = encode(
            PayloadHeader(
                instance=self.instance,
                epoch=key.epoch,
                round=key.round,
                slot=key.slot,
                member_id=key.member_id,
                layout_digest=self.layout_digest,
            ),
            selection,
            self.optimizer.form_at(key.step),
        )
        self._sent[key.round_key] = sha256(payload).digest()
        return Trained(
            payload=payload,
            loss=loss,
            tokens=int(sequences.shape[0] * (sequences.shape[1] - 1)),
            coefficients=len(selection.indices),
            seconds=time.perf_counter() - started,
        )

    def read(self, payload: bytes, key: PayloadKey) -> Selection | None:
        """The selection in a payload, or None if it fails the form check."""
        expect = Expectation(
            instance=self.instance,
            epoch=key.epoch,
            round=key.round,
            slot=key.slot,
            member_id=key.member_id,
            layout_digest=self.layout_digest,
            form=self.optimizer.form_at(key.step),
            bytes_max=self.payload_bytes_max,
        )
        try:
            return decode(payload, expect)
        except PayloadError:
            return None

    def settle(
        self,
        round_key: tuple[int, int],
        step: int,
        payloads: Sequence[tuple[PayloadKey, bytes]],
    ) -> None:
        """Applies a settled round: exactly these payloads, in slot order.

        What this client has in flight from this round is done with if its payload is among them,
        else it returns to the momentum. So it does from older rounds: rounds settle in order, so
        those were given up. A payload of this client that is not in flight here (it was sent
        before a restart, after the momentum was saved) changes the parameters alone: nothing was
        taken out of this momentum for it, so nothing may be put back. What it sent and the
        momentum still has is sent once more, faded.

        Args:
            round_key: (epoch, round).
            step: the round's start number, which drives the learning rate.
            payloads: the accepted ones. One that fails the form check contributes nothing.
        """
        keys = [key.slot for key, _ in payloads]
        assert keys == sorted(keys)
        selections = [self.read(payload, key) for key, payload in payloads]
        rate = self.rule.schedule.lr_at(step)
        parameters = {name: parameter.data for name, parameter in self._by_name.items()}
        self.optimizer.update(parameters, [s for s in selections if s is not None], rate)
        # Another's copy of this client's bytes fails the form check: the header names the slot.
        formed = [p for s, (_, p) in zip(selections, payloads, strict=True) if s is not None]
        self._settle_own(round_key, formed)

    def _settle_own(self, round_key: tuple[int, int], accepted: Sequence[bytes]) -> None:
        sent = self._sent.pop(round_key, None)
        here = sent is not None and any(sha256(data).digest() == sent for data in accepted)
        self.optimizer.settled(round_key, accepted=here)
        for given_up in [key for key in self.optimizer.in_flight if key < round_key]:
            self.optimizer.give_back(given_up)
            self._sent.pop(given_up, None)

    def validation_loss(self, sequences: npt.NDArray[np.int64]) -> float:
        """Mean next-token cross entropy over `sequences`, nats; nothing is changed."""
        return mean_loss(self.model, sequences, self.compute)
