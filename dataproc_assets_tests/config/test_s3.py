import pytest
from pydantic import ValidationError

from dataproc_assets.config.s3 import S3Config


def test_what_is_left_out_is_left_to_the_environment():
    assert S3Config().variables() == {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false"}


def test_a_place_becomes_the_variables_that_clients_read():
    config = S3Config(endpoint="http://127.0.0.1:9000/", region="eu-west-1", path_style=False)
    assert config.variables() == {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }


@pytest.mark.parametrize(
    "endpoint", ["minio:9000", "ftp://minio", "http://key:secret@minio:9000", "http://minio/bucket"]
)
def test_an_endpoint_is_a_host_without_bucket_or_credentials(endpoint: str):
    with pytest.raises(ValidationError, match="endpoint"):
        S3Config(endpoint=endpoint)
