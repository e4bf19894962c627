"""whip_gst.py CODEC: a made-up picture and a tone sent by GStreamer's webrtcbin, as OBS would send them. Who calls it
does the HTTP of WHIP: the offer is written to stdout, a line "." after it, the answer is read from stdin in the same
way, then a line for each change of the connection's state; the end of stdin ends it. Exit code 77: GStreamer lacks
something, which is said."""
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    gi.require_version("GstSdp", "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
except (ImportError, ValueError) as error:
    print(error)
    sys.exit(77)

PICTURES = {
    "VP8": "vp8enc deadline=1 cpu-used=8 target-bitrate=900000 keyframe-max-dist=60 ! rtpvp8pay picture-id-mode=15-bit",
    "H264": "openh264enc bitrate=900000 gop-size=60 ! video/x-h264,profile=constrained-baseline ! h264parse ! "
            "rtph264pay config-interval=-1 aggregate-mode=zero-latency",
    "VP9": "vp9enc deadline=1 cpu-used=8 target-bitrate=900000 keyframe-max-dist=60 ! rtpvp9pay picture-id-mode=15-bit",
}


def say(text):
    print(text, flush=True)


def main():
    Gst.init(None)
    codec = sys.argv[1]
    for name in ("webrtcbin", "nicesrc", "dtlssrtpenc", "opusenc", PICTURES[codec].split()[0]):
        if Gst.ElementFactory.find(name) is None:
            print(f"no element {name}")
            sys.exit(77)
    whole = Gst.parse_launch(
        "webrtcbin name=out bundle-policy=max-bundle "
        "videotestsrc is-live=true pattern=smpte ! video/x-raw,width=640,height=360,framerate=30/1 ! "
        f"videoconvert ! {PICTURES[codec]} ! application/x-rtp,media=video,encoding-name={codec},payload=96 ! "
        "out. audiotestsrc is-live=true wave=sine freq=440 volume=0.2 ! audioconvert ! audioresample ! "
        "opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! out.")
    out = whole.get_by_name("out")
    loop = GLib.MainLoop()

    def answered(channel, _):
        lines = []
        for line in iter(sys.stdin.readline, ""):
            if line.strip() == ".":
                break
            lines.append(line.rstrip("\r\n"))
        if not lines:
            loop.quit()
            return False
        _, sdp = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer("\r\n".join(lines + [""]).encode(), sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        out.emit("set-remote-description", answer, Gst.Promise.new())
        return True

    def gathered(*_):
        if out.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            return
        say(out.get_property("local-description").sdp.as_text())
        say(".")
        GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, answered)

    def offered(promise, *_):
        promise.wait()
        reply = promise.get_reply()  # holds what the offer points to
        offer = reply.get_value("offer")
        out.emit("set-local-description", offer, Gst.Promise.new())

    def needed(*_):
        for i in range(2):
            out.emit("get-transceiver", i).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        out.emit("create-offer", None, Gst.Promise.new_with_change_func(offered, None, None))

    def state(*_):
        say(f"state {out.get_property('connection-state').value_nick}")

    def trouble(_, message):
        if message.type == Gst.MessageType.ERROR:
            say(f"error {message.parse_error()}")
            loop.quit()

    out.connect("on-negotiation-needed", needed)
    out.connect("notify::ice-gathering-state", gathered)
    out.connect("notify::connection-state", state)
    bus = whole.get_bus()
    bus.add_signal_watch()
    bus.connect("message", trouble)
    whole.set_state(Gst.State.PLAYING)
    loop.run()
    whole.set_state(Gst.State.NULL)


main()
