"""The only room that talks to an API server: it reads objects to Snapshots, and writes statuses, Events and a Lease."""
