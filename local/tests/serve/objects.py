"""Writes objects (`write`) or reads them back (`read`): what a folder of `mapmill serve --data` has to keep."""

import sys

import boto3

s3 = boto3.client("s3")
KEYS = ["plain.json", "a/b/c.csv", "a/b", "with space and + % ünï.txt", "x" * 1_000, "..", "nul/con/aux"]

if sys.argv[1] == "write":
    s3.create_bucket(Bucket="kept")
    for key in KEYS:
        s3.put_object(Bucket="kept", Key=key, Body=key.encode(), ContentType="text/x-mine", Metadata={"who": "me"},
                      Tagging="a=1")
    parts = []
    upload = s3.create_multipart_upload(Bucket="kept", Key="large")["UploadId"]
    for number in (1, 2):
        part = s3.upload_part(Bucket="kept", Key="large", UploadId=upload, PartNumber=number, Body=b"%d" % number * 5242880)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket="kept", Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.delete_object(Bucket="kept", Key="a/b")
else:
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["kept"]
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket="kept")["Contents"]]
    expected = sorted([key for key in KEYS if key != "a/b"] + ["large"], key=str.encode)
    assert listed == expected, listed
    for key in expected:
        read = s3.get_object(Bucket="kept", Key=key)
        body = read["Body"].read()
        if key == "large":
            assert body == b"1" * 5242880 + b"2" * 5242880 and read["ETag"].endswith('-2"'), read["ETag"]
        else:
            assert (body, read["ContentType"], read["Metadata"]) == (key.encode(), "text/x-mine", {"who": "me"}), key
            assert s3.get_object_tagging(Bucket="kept", Key=key)["TagSet"] == [{"Key": "a", "Value": "1"}], key
