"""Reading media: video, audio, signals, and the isolated worker pool that reads them side by side."""
