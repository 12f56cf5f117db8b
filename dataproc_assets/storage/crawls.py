"""The crawls of a project's sources, as they now are, from where the profile says."""

from dataproc_assets.config.project import Project
from dataproc_assets.storage.crawl_listing import Listing, crawl_listing
from dataproc_assets.storage.events import Taken, take_events
from dataproc_assets.storage.followed import Followed, forget_listing
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.queue import Queue


class Crawls:
    """The crawls below `bucket`; what is kept of them lies in `store`."""

    def __init__(self, project: Project, store: ObjectStore, bucket: ObjectStore) -> None:
        self._store, self._bucket = store, bucket
        self._sources, self._profile = project.sources, project.profile

    def now(self, source: str) -> Listing:
        """The objects of a source's crawl.

        Where a queue is named, that is the last complete listing and the events that were taken
        from the queue since: nothing is listed.
        """
        if source in self._profile.crawl.queues:
            return self.followed(source).listing()
        return self.listed(source)

    def state(self, source: str) -> str:
        """A digest over where a source's crawl lies, its paths and versions, as they now are."""
        return self.now(source).digest

    def inputs(self, source: str) -> dict[str, str]:
        """The crawl's state and, where events are added to a complete listing, which that is."""
        listing = self.now(source)
        return {"crawl": listing.digest, **({"listing": listing.base} if listing.base else {})}

    def followed(self, source: str) -> Followed:
        """A source's crawl as the events of its bucket tell it."""
        prefix = self._sources[source].crawl.prefix
        return Followed.now(self._store, source, self._bucket.url, prefix)

    def take_events(self, source: str) -> Taken:
        """Move what a source's queue holds into the lake, for all sources that share the queue.

        Raises ConnectionError where the queue cannot be reached.
        """
        queues = self._profile.crawl.queues
        mine = [name for name, queue in queues.items() if queue.url == queues[source].url]
        places = {name: self._bucket.uri(self._sources[name].crawl.prefix) for name in mine}
        return take_events(self._store, Queue(queues[source]), places)

    def list_if_due(self, source: str) -> None:
        """Make the complete listing that events add to, where one is due."""
        queue = self._profile.crawl.queues.get(source)
        if queue is None:
            forget_listing(self._store, source)
            return
        buckets = self._profile.storage.table_buckets
        self.followed(source).list_if_due(lambda: self.listed(source), buckets, queue)

    def listed(self, source: str) -> Listing:
        """The objects of a source's crawl as a complete listing has them, a queue or not."""
        return crawl_listing(self._bucket, self._sources[source], self._profile.crawl)
