"""What an S3 store's refusal means, and what to do about it."""

import re

NEXT_STEPS = {
    "NoSuchBucket": "make the bucket, or correct its name in conf/profiles",
    "AccessDenied": "let these credentials list it (s3:ListBucket) and read it (s3:GetObject)",
    "SignatureDoesNotMatch": "the secret key is wrong: set AWS_SECRET_ACCESS_KEY again",
    "InvalidAccessKeyId": "the access key is wrong, or its session is over: set AWS_ACCESS_KEY_ID "
    "again, and AWS_SESSION_TOKEN where the credentials come with one",
    "ExpiredToken": "get new temporary credentials, such as by `aws sso login`",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the access key: set all three again",
    "RequestTimeTooSkewed": "set this machine's clock",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION",
    "SlowDown": "lower the connections of crawl.listing in conf/profiles, or try again later",
}
INVALID_PATH = "invalid path"
OTHER_STEPS = {  # by a part of the message, where the store gave no code
    "169.254.169.254": "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "error sending request": "no server answers there: start it, or correct AWS_ENDPOINT_URL_S3",
    INVALID_PATH: "such a key cannot be read by its path: rename the object or take it out",
}


def explain(error: BaseException) -> str:
    """The cause in one line, and the next step where it is known.

    Of the answer's body only its code and message are taken: the rest may hold access keys.
    """
    text = str(error)
    code, message = _of_boto3(text) or (_element(text, name) for name in ("Code", "Message"))
    if code:
        cause = f"{code} ({message})" if message else code
        step = NEXT_STEPS.get(code.removesuffix("Exception"))
    else:
        cause = _first_line(text)
        step = next((step for part, step in OTHER_STEPS.items() if part in text), None)
    return f"{cause}; {step}" if step else cause


def _of_boto3(text: str) -> tuple[str, str] | None:
    """The answer's code and message, where the client of boto3 has read them."""
    found = re.match(r"An error occurred \((\w+)\) when calling the \w+ operation.*?: (.*)", text)
    return (found[1], found[2]) if found else None


def _element(text: str, name: str) -> str | None:
    """What an XML element of the answer holds, in one line."""
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return " ".join(found[1].split()) if found else None


def _first_line(text: str) -> str:
    """The message's first line up to any body, without the client's account of its retries."""
    line = text.partition("\n")[0].partition("<")[0]
    brief = re.sub(r" in [\d.]+\S*s\b(, after .*?timeout: \S+)?", "", line)
    return " ".join(brief.split()).strip(" :")
