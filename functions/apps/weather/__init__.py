"""The weather and fashion app: it fetches the weather of places, warns the people there, finds the
colors of garments, and reviews what users upload."""

from __future__ import annotations

from .handlers import (
    extract_colors,
    fan_out_alert,
    ingest_weather,
    read_receipts,
    review_upload,
    send_alert,
)
from .payloads import AlertBatch, Garment, Place, SentAlerts, Upload, WeatherAlert
from .queues import app

__all__ = [
    "AlertBatch",
    "Garment",
    "Place",
    "SentAlerts",
    "Upload",
    "WeatherAlert",
    "app",
    "extract_colors",
    "fan_out_alert",
    "ingest_weather",
    "read_receipts",
    "review_upload",
    "send_alert",
]
