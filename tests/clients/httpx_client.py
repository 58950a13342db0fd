"""Python's httpx, over HTTP/1.1 or HTTP/2. Prints what it found, a line a step: its name, a tab, the finding."""
import asyncio
import hashlib
import sys
import time

import httpx

base, token, ca, protocol = sys.argv[1:]


def said(name, finding):
    print(f"{name}\t{finding}".replace("True", "true").replace("False", "false"))


def sha(data):
    return hashlib.sha256(data).hexdigest()


async def pieces(data):
    for at in range(0, len(data), 65536):
        yield data[at:at + 65536]


async def main():
    bearer = {"Authorization": f"Bearer {token}"}
    http2 = protocol == "http2"
    async with httpx.AsyncClient(base_url=base, verify=ca or True, http1=not http2, http2=http2, timeout=30) as client:
        hello = await client.get("/open/hello")
        said("open", f"{hello.status_code} {hello.text}")
        refused = await client.post("/api/guarded", content="{}")
        said("refused", f"{refused.status_code} {'www-authenticate' in refused.headers} {refused.json()['code']}")
        bad = await client.post("/api/guarded", content="{}", headers={"Authorization": "Bearer x.y.z"})
        said("bad", f"{bad.status_code} {bad.json()['code']}")
        body = b'{"delta":-1}'
        allowed = await client.post("/api/guarded", content=body, headers=bearer)
        said("allowed", f"{allowed.status_code} {allowed.text == sha(body)}")
        upload = (b"upload" * 200_000)[:1 << 20]
        chunked = await client.post("/api/guarded", content=pieces(upload), headers=bearer)
        said("upload", f"{chunked.status_code} {chunked.text == sha(upload)}")
        large = await client.get("/open/large")
        said("large", f"{large.status_code} {len(large.content)} {sha(large.content)}")
        first, text = 0, ""
        async with client.stream("GET", "/open/events") as events:
            async for piece in events.aiter_text():
                first = first or time.monotonic()
                text += piece
        said("events", f"{text.count('data: ')} {time.monotonic() - first > 0.4}")
        head = await client.head("/open/large")
        said("head", f"{head.status_code} {head.headers['content-length']} {len(head.content)}")
        empty = await client.get("/open/empty")
        said("empty", f"{empty.status_code} {len(empty.content)}")
        moved = await client.get("/open/moved")
        said("moved", f"{moved.status_code} {moved.headers['location']}")
        said("gzip", (await client.get("/open/gzip")).text)
        query = "/open/query?x=%7B%22a%22%3A1%7D&list=a&list=b&slash=%2F+"
        said("query", (await client.get(query)).text == query)
        async with client.stream("GET", "/open/endless") as endless:
            async for _ in endless.aiter_bytes():
                break
        said("after a break", (await client.get("/open/hello")).status_code)
        good = 0
        for _ in range(200):
            good += (await client.get("/open/hello")).text == "hello"
        parallel = await asyncio.gather(*(client.get("/open/hello") for _ in range(50)))
        good += sum(answer.text == "hello" for answer in parallel)
        said("many", good)


asyncio.run(main())
