"""The one error of accounts that is about what is in them, not about which they are."""

from psyche_sdk.errors import AccountInvalid

__all__ = ["AccountInvalid"]
