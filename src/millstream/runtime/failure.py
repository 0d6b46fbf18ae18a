"""What stops a command, in words for whoever ran it. `millstream` prints the message and exits.

Failure
├── SettingsError        a setting of the process cannot be used (exit 2, as for wrong usage)
├── StartError           the server cannot start with this configuration or folder
├── InspectionError      the data folder cannot be read
├── RemoteError          the running server refused, or cannot be reached
├── OrderError           the command or its arguments make no sense
├── TrialFailed          nothing could be tried: no such event, source or destination
├── CaseInvalid          a user's own case cannot be read
└── DemoFailed           not every event had a final outcome in time
"""

from __future__ import annotations


class Failure(Exception):
    """The message says what could not be done, and what would help."""
