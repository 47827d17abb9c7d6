#!/usr/bin/env python3
"""Other clients and ours on one bucket or container: each reads what the other wrote, byte by byte.

    interop.py DIRECTORY     of server_s3 and server_azure: build/tests/server

Run by hand. Starts radosgw and Azurite by tests/servers; tries boto3, awscli and rclone, as far as they are installed,
and says which were not.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OBJECTS = {"plain.json": 1000, "empty": 0, "blank in name": 10, "plus+and=equals&ampersand": 11,
           "percent%2Fslash %": 12, "tilde~star*bang!paren(s)'quote'": 13, "été/日本": 14, "parts": (12 << 20) + 7}


def content(size, key):
    length = len(key.encode())
    return bytes((i * 31 + i // 256 + length) & 0xFF for i in range(size))


class Boto3:
    name = "boto3"

    def __init__(self, env):
        import boto3
        from boto3.s3.transfer import TransferConfig
        self.transfer = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=5 << 20)
        self.client = boto3.client("s3", endpoint_url=env["S3_ENDPOINT"], region_name="us-east-1",
                                   aws_access_key_id=env["S3_ACCESS_KEY"], aws_secret_access_key=env["S3_SECRET_KEY"])

    def make_bucket(self, bucket):
        self.client.create_bucket(Bucket=bucket)

    def put(self, bucket, key, path):
        self.client.upload_file(str(path), bucket, key, Config=self.transfer)

    def get(self, bucket, key, path):
        self.client.download_file(bucket, key, str(path), Config=self.transfer)


class Program:
    def __init__(self, env):
        self.env = dict(os.environ, AWS_ACCESS_KEY_ID=env["S3_ACCESS_KEY"], AWS_SECRET_ACCESS_KEY=env["S3_SECRET_KEY"],
                        AWS_REGION="us-east-1", AWS_CONFIG_FILE="/dev/null", RCLONE_CONFIG="/dev/null",
                        RCLONE_CONFIG_T_TYPE="s3", RCLONE_CONFIG_T_PROVIDER="Ceph", RCLONE_CONFIG_T_ENV_AUTH="true",
                        RCLONE_CONFIG_T_ENDPOINT=env["S3_ENDPOINT"], RCLONE_S3_UPLOAD_CUTOFF="6M",
                        RCLONE_S3_CHUNK_SIZE="5M")
        self.env.pop("AWS_CA_BUNDLE", None)
        self.endpoint = env["S3_ENDPOINT"]
        if not shutil.which(self.program):
            raise ImportError(self.program)

    def run(self, *arguments):
        subprocess.run([self.program, *arguments], env=self.env, check=True, stdout=subprocess.DEVNULL)


class Awscli(Program):
    name = program = "aws"

    def make_bucket(self, bucket):
        self.run("s3", "mb", "s3://" + bucket, "--endpoint-url", self.endpoint)

    def put(self, bucket, key, path):
        self.run("s3", "cp", str(path), f"s3://{bucket}/{key}", "--endpoint-url", self.endpoint)

    def get(self, bucket, key, path):
        self.run("s3", "cp", f"s3://{bucket}/{key}", str(path), "--endpoint-url", self.endpoint)


class Rclone(Program):
    name = program = "rclone"

    def make_bucket(self, bucket):
        self.run("mkdir", "t:" + bucket)

    def put(self, bucket, key, path):
        self.run("copyto", str(path), f"t:{bucket}/{key}")

    def get(self, bucket, key, path):
        self.run("copyto", f"t:{bucket}/{key}", str(path))


class RcloneToAzure(Rclone):
    """Version 1.60 knows no other account where it uses an emulator, so neither do we."""

    def __init__(self, env):
        env["AZURE_ENDPOINT"] = env["AZURE_ENDPOINT"].replace(env["AZURE_ACCOUNT"], env["AZURE_EMULATOR_ACCOUNT"])
        env.update(AZURE_ACCOUNT=env["AZURE_EMULATOR_ACCOUNT"], AZURE_KEY=env["AZURE_EMULATOR_KEY"])
        super().__init__(env | {"S3_ACCESS_KEY": "", "S3_SECRET_KEY": "", "S3_ENDPOINT": ""})
        self.env.update(RCLONE_CONFIG_T_TYPE="azureblob", RCLONE_CONFIG_T_USE_EMULATOR="true",
                        RCLONE_CONFIG_T_ACCOUNT=env["AZURE_ACCOUNT"], RCLONE_CONFIG_T_KEY=env["AZURE_KEY"],
                        RCLONE_CONFIG_T_ENDPOINT=env["AZURE_ENDPOINT"], RCLONE_AZUREBLOB_UPLOAD_CUTOFF="6M",
                        RCLONE_AZUREBLOB_CHUNK_SIZE="5M")


def exchange(client, binary, settings, directory):
    bucket = "interop-" + client.name
    client.make_bucket(bucket)
    file = pathlib.Path(directory) / "file"
    for key, size in OBJECTS.items():
        file.write_bytes(content(size, key))
        client.put(bucket, "theirs/" + key, file)
    subprocess.run([binary, "--run_test=interop"], check=True, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, FIREHOSE_INTEROP_BUCKET=bucket) | settings)
    for key, size in OBJECTS.items():
        file.unlink(missing_ok=True)
        client.get(bucket, "ours/" + key, file)
        if file.read_bytes() != content(size, key):
            raise SystemExit(f"{client.name} reads other bytes of {key} than we wrote")
    print(f"{binary.name}, {client.name}: {len(OBJECTS)} objects there and back, the same bytes")


def exchange_with_all(kinds, starter, variable, binary):
    with tempfile.TemporaryDirectory() as directory:
        server = directory + "/server"
        subprocess.run([starter, "--dir", server, "--detach"], check=True, stdout=subprocess.DEVNULL)
        try:
            env = dict(line.split("=", 1) for line in pathlib.Path(server, "env").read_text().splitlines())
            for kind in kinds:
                try:
                    client = kind(env)
                except ImportError:
                    print(f"SKIPPED, NOT PASSED: {kind.name} is not installed")
                    continue
                settings = pathlib.Path(directory, "env")
                settings.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
                exchange(client, binary, {variable: str(settings)}, directory)
        finally:
            subprocess.run([starter, "--stop", server], check=True)


def main():
    binaries = pathlib.Path(sys.argv[1])
    servers = HERE.parent / "servers"
    exchange_with_all((Boto3, Awscli, Rclone), servers / "start_radosgw.sh", "S3_ENV_FILE", binaries / "server_s3")
    exchange_with_all((RcloneToAzure,), servers / "start_azurite.sh", "AZURE_ENV_FILE", binaries / "server_azure")


if __name__ == "__main__":
    main()
