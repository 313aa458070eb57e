"""The three kinds of patches that kubectl sends: RFC 6902, RFC 7396, and Kubernetes' strategic merge.

Each is a pure function from an object and a patch to the new object; what was given is left as it was. A patch that
cannot be carried out raises a PatchError, which `verbs` turns into an answer.
"""
