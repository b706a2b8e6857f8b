"""Pages in a bucket in place of a folder."""

import boto3
import pytest
from moto import mock_aws
from storages.backends.s3 import S3Storage

from ecglens.web.readings import store
from ecglens.web.readings.models import Batch, Picture, Reading

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bucket(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(), monkeypatch.context() as patch:
        bucket = boto3.resource("s3").create_bucket(Bucket="pages")
        storage = S3Storage(bucket_name="pages", default_acl=None, querystring_auth=True)
        for model in (Reading, Picture, Batch):
            for field in model._meta.fields:
                if field.get_internal_type() == "FileField":
                    patch.setattr(field, "storage", storage)
        patch.setattr(store, "pages", lambda: storage)
        yield bucket


def test_a_page_goes_into_the_bucket_and_out_of_it_again(bucket, upload, client, work):
    upload()
    work()
    reading = Reading.objects.get()
    names = [each.key for each in bucket.objects.all()]

    assert reading.state == Reading.State.DONE
    assert reading.page.name in names
    assert sorted(store.list_files()) == sorted(names)
    for path in ("page", "pictures/gray"):
        answer = client.get(f"{reading.get_absolute_url()}{path}")
        assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
        answer.close()
    assert client.get(f"{reading.get_absolute_url()}signals/csv").status_code == 200
    client.post(f"{reading.get_absolute_url()}delete")
    assert list(bucket.objects.all()) == []


def test_files_in_the_bucket_are_not_public(bucket):
    name = store.store_file(b"a page", ".jpg")
    grants = bucket.Object(name).Acl().grants

    assert all("URI" not in grant["Grantee"] for grant in grants)
