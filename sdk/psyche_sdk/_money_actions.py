"""Who owns a run, who may join it, and what is paid: one method an instruction.

The builders are the functions of psyche_sdk.instructions, as in `_actions`.
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from psyche_sdk._actions import Actions
from psyche_sdk._generated import instructions as _ix
from psyche_sdk._generated import types as _t
from psyche_sdk._send import Receipt

#: Withdraws a proposal; nobody has the key.
NOBODY = Pubkey.default()


class MoneyActions(Actions):
    """Instructions about authorities, rates, passes, points and bonds; see `Actions`."""

    # Owner

    async def update_metadata(self, text: str) -> Receipt:
        """Replace the text about the run, at most 256 bytes."""
        args = _t.UpdateMetadataArgs(metadata=text)
        built = _ix.update_metadata(authority=self._wallet(), run=self.address, args=args)
        return await self._send("update_metadata", [built])

    async def set_rates(self, args: _t.SetRatesArgs) -> Receipt:
        """Set the points for sequences, attestations and verdicts, from the next epoch on."""
        built = _ix.set_rates(authority=self._wallet(), run=self.address, args=args)
        return await self._send("set_rates", [built])

    async def set_authority(self, proposed: Pubkey | None) -> Receipt:
        """Propose who shall own the run; None withdraws the proposal."""
        args = _t.SetAuthorityArgs(proposed=proposed or NOBODY)
        built = _ix.set_authority(authority=self._wallet(), run=self.address, args=args)
        return await self._send("set_authority", [built])

    async def accept_authority(self) -> Receipt:
        """Take the run over; the signer is who was proposed."""
        built = _ix.accept_authority(proposed_authority=self._wallet(), run=self.address)
        return await self._send("accept_authority", [built])

    async def set_join_authority(self, join_authority: Pubkey | None) -> Receipt:
        """Say whose passes joining needs from now on; None: anyone may join."""
        args = _t.SetJoinAuthorityArgs(join_authority=join_authority)
        built = _ix.set_join_authority(authority=self._wallet(), run=self.address, args=args)
        return await self._send("set_join_authority", [built])

    # Join authority

    async def issue_pass(self, wallet: Pubkey, expiry: int) -> Receipt:
        """Permit a wallet to join until `expiry` (Unix seconds), or renew that."""
        built = _ix.issue_pass(
            payer=self._payer(),
            join_authority=self._wallet(),
            run=self.address,
            args=_t.IssuePassArgs(wallet=wallet, expiry=expiry),
        )
        return await self._send("issue_pass", [built])

    async def revoke_pass(self, wallet: Pubkey, rent_payer: Pubkey | None = None) -> Receipt:
        """Close a wallet's pass; the rent goes to who paid it, by default the payer."""
        built = _ix.revoke_pass(
            revoker=self._wallet(),
            rent_payer=rent_payer or self._payer(),
            run=self.address,
            pass_=self.pass_address(wallet),
        )
        return await self._send("revoke_pass", [built])

    # Participant

    async def set_payee(self, payee: Pubkey) -> Receipt:
        """Say where the signer's points and returned bond go."""
        built = _ix.set_payee(
            wallet=self._wallet(),
            participant=self.participant_address(),
            args=_t.SetPayeeArgs(payee=payee),
        )
        return await self._send("set_payee", [built])

    async def close_participant(
        self, *, rent_payer: Pubkey | None = None, payee: Pubkey | None = None
    ) -> Receipt:
        """Close the signer's account; its rent goes to who paid it, by default the payer.

        Args:
            payee: the participant's, where a bond is left in the account.
        """
        built = _ix.close_participant(
            wallet=self._wallet(),
            rent_payer=rent_payer or self._payer(),
            run=self.address,
            roster=self.roster_address,
            participant=self.participant_address(),
            payee=payee,
        )
        return await self._send("close_participant", [built])

    # Anyone

    async def collect(self, slot: int, wallet: Pubkey, payee: Pubkey | None) -> Receipt:
        """Move what is on a slot to the account of its holder; see `views.collects`.

        A bond that waits in the account goes to a `payee` that can take it; then any slot may be
        named.

        Args:
            payee: the holder's, to which a bond goes; None where it is an account that no
                transaction can write: then the bond waits in the holder's account.
        """
        built = _ix.collect(
            **self._accounts(),
            participant=self.participant_address(wallet),
            payee=payee,
            args=_t.CollectArgs(slot=slot),
        )
        return await self._send("collect", [built])
