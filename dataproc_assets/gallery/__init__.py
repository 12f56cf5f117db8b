"""The gallery: static pages over every stage, and the only place that draws pictures."""

from dataproc_assets.gallery.build import GalleryInfo, build_gallery
from dataproc_assets.gallery.pictures import Picture, ReadPicture
from dataproc_assets.gallery.tables import GalleryTables

__all__ = ["GalleryInfo", "GalleryTables", "Picture", "ReadPicture", "build_gallery"]
