"""A cluster on one machine: an API server in memory, and around it what else a cluster has, as its plain clients.

It takes manifests and kubectl's requests as a real cluster does, so that Sevengate's main job runs, and is tested,
where no cluster is. `apiserver/` is the API server. Nothing here knows routing, annotations or NGINX: a lab that knew
the gate could not prove anything about it.
"""
