"""The API server of the lab: Kubernetes' API over TLS on loopback, everything in memory.

It takes HTTP requests as kubectl and controllers send them, and gives what a real API server would. The walk of one
request: `server` reads it, `calls` says what it asks for, `identity` who asks and `rbac` whether they may; `verbs`
carries it out on `storage`, with the pure rooms between: `patches`, `apply`, `defaults`, `validation`, `selectors`,
`tables`. `running` starts all of it. Controllers, scheduler and kubelet are not here: they are clients.
"""
