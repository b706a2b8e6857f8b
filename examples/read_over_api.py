"""Read a page over the API of a site: ECGLENS_TOKEN=ecgl_... python read_over_api.py https://ecg.example page.jpg."""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen


def ask(address: str, body: bytes | None = None, kind: str = "application/json") -> dict:
    """Send a request, a POST where it has a body."""
    head = {"Authorization": f"Bearer {os.environ['ECGLENS_TOKEN']}", "Content-Type": kind}
    try:
        with urlopen(Request(address, body, head), timeout=60) as answer:
            return json.load(answer)
    except HTTPError as error:
        sys.exit(json.load(error)["detail"])
    except (URLError, ValueError) as error:
        sys.exit(f"Expected a site of ecglens at {address}, got no answer: {error}; check the address.")


if len(sys.argv) != 3 or "ECGLENS_TOKEN" not in os.environ:
    sys.exit(__doc__)
site, page = sys.argv[1].rstrip("/") + "/api/v1", Path(sys.argv[2])
try:
    content = page.read_bytes()
except OSError as error:
    sys.exit(f"Expected a page at {page}, but it cannot be read: {error.strerror}; check the path.")
mark = uuid.uuid4().hex
start = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{page.name}"\r\n\r\n'.encode()
form = start + content + f"\r\n--{mark}--\r\n".encode()
reading = ask(f"{site}/readings", form, f"multipart/form-data; boundary={mark}")
print(reading["label"] or "cannot tell", reading["predictions"][0]["probabilities"])
while reading["state"] not in ("done", "failed"):
    time.sleep(1)
    reading = ask(f"{site}/readings/{reading['id']}")
rate = (reading["facts"]["measurements"] or {}).get("rate_bpm")
print(f"{rate['value']:.1f} ± {rate['error']:.1f} beats a minute" if rate else "no rate could be measured")
