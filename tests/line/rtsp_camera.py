"""A camera for tests: GStreamer's RTSP server, for a Python that has it (`test_rtsp.py` finds one).

    /usr/bin/python3 tests/line/rtsp_camera.py PORT FPS WIDTHxHEIGHT FOLDER [USER PASSWORD]

Serves the JPEG files of the folder in the order of their names, again and again, whether or not anybody looks, at
``rtsp://127.0.0.1:PORT/live``. Says ``ready`` on stdout.
"""

import sys
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


class Camera(GstRtspServer.RTSPMediaFactory):
    """The stream: one pipeline for all who look."""

    def __init__(self, folder: str, fps: int, size: str) -> None:
        super().__init__()
        self.pictures = [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]
        self.fps, self.start = fps, time.monotonic()
        self.set_shared(True)
        width, height = size.split("x")
        self.set_launch(
            "( appsrc name=lens is-live=true do-timestamp=true format=time "
            f"caps=image/jpeg,width={width},height={height},framerate={fps}/1 ! rtpjpegpay name=pay0 pt=26 )"
        )
        self.connect("media-configure", self.begin)

    def begin(self, _: object, media: GstRtspServer.RTSPMedia) -> None:
        """Feed a new pipeline until it is taken down."""
        lens = media.get_element().get_by_name_recurse_up("lens")
        GLib.timeout_add(1000 // self.fps, self.push, lens)

    def push(self, lens: Gst.Element) -> bool:
        """Give it the picture of this moment; whether there is to be another."""
        number = int((time.monotonic() - self.start) * self.fps) % len(self.pictures)
        return bool(lens.emit("push-buffer", Gst.Buffer.new_wrapped(self.pictures[number])) == Gst.FlowReturn.OK)


def only_for(user: str, password: str, server: GstRtspServer.RTSPServer, camera: Camera) -> None:
    """Refuse everybody else."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    allowed = Gst.Structure.new_from_string("viewer, media.factory.access=true, media.factory.construct=true")
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role_from_structure(allowed)
    camera.set_permissions(permissions)


if __name__ == "__main__":
    Gst.init(None)
    port, fps, size, folder, *sign_in = sys.argv[1:]
    server, camera = GstRtspServer.RTSPServer(), Camera(folder, int(fps), size)
    server.set_address("127.0.0.1")
    server.set_service(port)
    if sign_in:
        only_for(*sign_in, server, camera)
    server.get_mount_points().add_factory("/live", camera)
    if not server.attach(None):
        sys.exit("the port is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()
