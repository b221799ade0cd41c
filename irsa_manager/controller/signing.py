"""The signature of what a status says is an object's. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, IRSAStatus, Record
from irsa_manager.plan.mark import MarkKeys, sign_record
from irsa_manager.plan.ownership import recorded, vouched

LAST_SERIAL = 2**53
"""Beyond it not every reader of JSON tells one number from the next (RFC 8259, section 6)."""


def signed(keys: MarkKeys, irsa: IRSA, status: IRSAStatus, *, over: str | None = None) -> Record:
    """The record that vouches for a status. over: the mark that is signed over, None: as before.

    What is signed already keeps its signature; anything else gets the next number.
    """
    before, account = irsa.status.record, status.role.account_id

    if over is None:
        # Who may write the status could have written that too.
        told = vouched(irsa.status, irsa.key, account, keys) and before.uid == irsa.metadata.uid
        over = before.over if told else ""

    def record(serial: int) -> Record:
        meant = Record("", irsa.metadata.uid, serial, over)
        return replace(meant, mac=sign_record(keys, recorded(replace(status, record=meant), irsa.key, account)))

    same = record(before.serial)
    return same if same == before else record(before.serial + 1 if 0 <= before.serial < LAST_SERIAL else 1)


def unsigned(before: IRSAStatus) -> Record:
    """No signature. The number stays: the next one must be told from what is put back."""
    return Record(serial=before.record.serial)
