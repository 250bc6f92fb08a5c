"""Numbered migrations of the program's accounts.

Each is a module with `plan` (reads the chain and says what is to be done), `apply` (does it) and
`verify` (reads the chain again). To plan is the default; whatever was applied already is no part
of the next plan, so that a migration that broke off is simply run again.
"""
