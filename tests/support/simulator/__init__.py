"""A simulator: the real program under virtual clients that fail, lie, and come and go.

`sweep.Sweep` runs it; `invariants` says what must hold after every transaction, by the numbers of
docs/INVARIANTS.md; `weather` is the chain's clock; `liveness` asks whether a run can get stuck.
"""
