# Varnish 7 before a node, for program streams: /v1/program/ is cached as the node says, and many viewers who ask for the
# same thing at once cost the node one request; a request that the node holds open until the next part is held here too.
# Everything else passes through. Start: varnishd -f program.vcl -a :80 -s malloc,2g
vcl 4.1;

import std;

backend node {
    .host = "127.0.0.1";
    .port = "8080";
    # The node answers a waiting request after three target durations at the latest (9 s at the usual cadence).
    .first_byte_timeout = 15s;
    .between_bytes_timeout = 10s;
    .max_connections = 2000;
}

sub vcl_recv {
    if (req.http.Upgrade ~ "(?i)websocket") {
        return (pipe);
    }
    if (req.url !~ "^/v1/program/") {
        return (pass);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # Whatever a player or a page adds, the answer is the same for all.
    unset req.http.Cookie;
    unset req.http.Authorization;
    if (req.url ~ "\.m3u8\?") {
        set req.url = std.querysort(regsuball(req.url, "([?&])(?!_HLS_(msn|part|skip)=)[^&]*(?=&|$)", "\1"));
        set req.url = regsub(regsuball(req.url, "&&+", "&"), "(\?)&+|[?&]+$", "\1");
    } else {
        set req.url = regsub(req.url, "\?.*$", "");
    }
    return (hash);
}

sub vcl_pipe {
    if (req.http.Upgrade) {
        set bereq.http.Upgrade = req.http.Upgrade;
        set bereq.http.Connection = req.http.Connection;
    }
}

sub vcl_backend_response {
    if (bereq.url ~ "^/v1/program/") {
        # A playlist that is past its time is worse than a short wait.
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        if (beresp.status >= 500 || beresp.http.Cache-Control ~ "no-store") {
            # Not kept, and those who come meanwhile ask for themselves.
            set beresp.uncacheable = true;
            set beresp.ttl = 1s;
        }
    }
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
