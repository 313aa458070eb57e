"""A PatchError is why a patch cannot be carried out."""


class PatchError(ValueError):
    """The patch is malformed, or does not fit the object."""
