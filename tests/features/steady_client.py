"""Asks one address for / again and again, each time on a connection of its own, and prints when and what came back.

`python steady_client.py ADDRESS PAUSE`: each line is the time in seconds (monotonic), and the body or the name of the
error. It never waits longer than half a second for an answer, and pauses between two requests, so its rate is bounded.
"""

import http.client
import sys
import time

LIMIT = 0.5


def ask(address: str) -> str:
    """Give what the gate answers, in one word."""
    connection = http.client.HTTPConnection(address, 80, timeout=LIMIT)
    try:
        connection.request("GET", "/", headers={"Host": "shop.example"})
        answer = connection.getresponse()
        body = answer.read().decode().strip()
    except (OSError, http.client.HTTPException) as error:
        return f"!{type(error).__name__}"
    finally:
        connection.close()
    return body if answer.status == 200 else f"!{answer.status}"


def main(address: str, pause: float) -> None:
    while True:
        print(f"{time.monotonic():.4f} {ask(address)}", flush=True)
        time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
