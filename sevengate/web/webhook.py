"""The validating webhook as flags ask for it: where it listens, and by which certificate the API server knows it.

Takes the options, what judges (admission.py) and the client of the cluster. The certificate stands in two files, or is
looked after in a Secret (cluster/webhook_certificate.py); proof.py shows it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from sevengate.cluster.client import Client
from sevengate.cluster.errors import ConfigError
from sevengate.cluster.webhook_certificate import CertificateUpkeep, Named
from sevengate.web.admission import Admission, serving_admission
from sevengate.web.proof import Proof

log = logging.getLogger("sevengate.web")

#: The name of the Secret where no flag names one; it is in our own namespace.
SECRET: Final = "sevengate-webhook"  # noqa: S105 - a name


class WebhookOptions(msgspec.Struct, frozen=True):
    """The flags; `address` "" is where everything listens.

    `certificate` and `key` are files. Without them the certificate is kept in `secret`, namespace/name, and announced
    in the ValidatingWebhookConfiguration `configuration`.
    """

    port: int
    address: str = ""
    certificate: str = ""
    key: str = ""
    secret: str = ""
    configuration: str = ""


@asynccontextmanager
async def serving_webhook(
    options: WebhookOptions, admission: Admission, client: Client, addresses: tuple[str, ...]
) -> AsyncIterator[None]:
    """Serve the webhook; raise AddressTakenError, and ConfigError if its files are of no use."""
    proof = Proof()
    upkeep = None
    if options.certificate:
        _follow(proof, options)
    else:
        secret = options.secret or f"{client.namespace}/{SECRET}"
        keeping = CertificateUpkeep(client, Named(secret, options.configuration), proof.show)
        upkeep = asyncio.create_task(keeping.run())
    try:
        async with serving_admission(admission, addresses, options.port, proof.context):
            yield
    finally:
        if upkeep:
            upkeep.cancel()
            await asyncio.gather(upkeep, return_exceptions=True)


def _follow(proof: Proof, options: WebhookOptions) -> None:
    try:
        proof.follow(Path(options.certificate), Path(options.key))
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigError(f"{options.certificate} and {options.key} are of no use to the webhook: {error}") from error
