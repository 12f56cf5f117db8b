# The image that SageMaker's Processing jobs run in (conf/profiles/aws.yaml, runner.image):
#   docker build -t dataproc . && docker push …
# The registry's torch is the CUDA build; the instance brings the driver. Weights that are not in
# the package are read by the job from where the metric's YAML says.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
# what torch.compile builds kernels with (runner.compile)
RUN apt-get update && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY dataproc_assets dataproc_assets
RUN pip install --constraint constraints.txt '.[aws]'
RUN python -c "import dataproc_assets.jobs.metric_pass, dataproc_assets.runners.container"

# SageMaker writes below /opt/ml as root, and its hosts run the container as root
ENTRYPOINT ["python", "-m", "dataproc_assets.runners.container"]
