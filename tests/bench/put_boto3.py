"""What the same PUTs cost with boto3, for scale; needs `pip install boto3`. Run by hand:

    build/tests/bench/put_bench --sink &        prints the endpoint
    python3 tests/bench/put_boto3.py http://127.0.0.1:PORT [PUTs [THREADS]]
"""
import itertools
import resource
import sys
import threading
import time

import boto3
import botocore
from botocore.config import Config


def main():
    endpoint = sys.argv[1]
    total = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=Config(max_pool_connections=threads, s3={"addressing_style": "path"},
                      request_checksum_calculation="when_required"),
    )
    body = b"x" * 1024
    numbers = itertools.count()

    def work():
        while (n := next(numbers)) < total:
            client.put_object(Bucket="events", Key=f"lead/66f1c0de940df5a34a388800/{n}.json", Body=body,
                              ContentType="application/json")

    client.put_object(Bucket="events", Key="warm", Body=body)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}: {total} PUTs, {threads} threads: "
          f"{total / cpu:.0f} PUTs/cpu, {total / seconds:.0f} PUTs/s, {cpu * 1e6 / total:.0f} us, "
          f"resident {after.ru_maxrss / 1024:.1f} MB")


if __name__ == "__main__":
    main()
