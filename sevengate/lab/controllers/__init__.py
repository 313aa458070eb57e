"""The controllers of a cluster: each brings one kind of objects from what is wished to what is so.

Every controller is a plain API client that reads Mirrors, writes through the Writer and is driven by a Reconciler, key
by key; it keeps nothing that it could not read again, so it may be started anew at any time, and against any API
server. The pure parts, which are most of each, stand beside it: `rollout` counts replicas, `fit` says which node takes
a pod, `endpoints` makes a Service's endpoints of pods. `lab/cluster.py` runs all of them.
"""
