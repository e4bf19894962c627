#include "rtc/ice.h"

#include <algorithm>

#include "core/assert.h"
#include "rtc/wire.h"

namespace footlight::rtc {
namespace {

constexpr size_t kUfragCharacters = 8;      // 48 bits; RFC 8445 section 5.3 asks for 24
constexpr size_t kPasswordCharacters = 24;  // 144 bits; 128 are asked for
constexpr uint16_t kBadRequest = 400, kUnauthorized = 401, kUnknownAttribute = 420,
                   kRoleConflict = 487;

}  // namespace

IceLite::IceLite(Entropy& entropy, size_t max_sessions, std::string prefix)
    : entropy_(entropy), max_sessions_(max_sessions), prefix_(std::move(prefix)) {}

std::string IceLite::random_text(size_t characters) {
  // 64 ice-chars, so six bits of each byte choose one without bias.
  static constexpr char kChars[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text(characters, 0);
  entropy_.fill({reinterpret_cast<uint8_t*>(text.data()), text.size()});
  for (char& c : text) c = kChars[static_cast<uint8_t>(c) & 63];
  return text;
}

IceCredentials IceLite::make_credentials() {
  for (;;) {
    std::string ufrag = prefix_ + random_text(kUfragCharacters);
    if (!by_ufrag_.contains(ufrag)) return {std::move(ufrag), random_text(kPasswordCharacters)};
  }
}

IceLite::Session& IceLite::get(IceSession session) {
  const auto found = sessions_.find(session);
  FL_ASSERT(found != sessions_.end(), "an ICE session is used after it was closed");
  return found->second;
}
const IceLite::Session& IceLite::get(IceSession session) const {
  return const_cast<IceLite*>(this)->get(session);
}

Result<IceSession> IceLite::open(MonoUs now) {
  if (sessions_.size() >= max_sessions_) return fail(Code::kServerFull, "media sessions");
  const IceSession number = next_++;
  Session& session = sessions_[number];
  session.local = make_credentials();
  session.heard_at = now;
  by_ufrag_[session.local.ufrag] = number;
  expiries_.push({now + kConsentUs, number});
  return number;
}

void IceLite::close(IceSession number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  by_ufrag_.erase(session.local.ufrag);
  if (!session.previous.ufrag.empty()) by_ufrag_.erase(session.previous.ufrag);
  for (const auto& known : session.paths) by_path_.erase(known.path);
  sessions_.erase(found);  // its entry in expiries_ finds nobody when it comes up
}

const IceCredentials& IceLite::local(IceSession session) const { return get(session).local; }

void IceLite::set_remote_ufrag(IceSession session, std::string_view ufrag) {
  get(session).remote_ufrag = ufrag;
}

const IceCredentials& IceLite::restart(IceSession number) {
  Session& session = get(number);
  if (!session.previous.ufrag.empty()) {
    // A second restart before the first was used: what the peer has in use stays.
    by_ufrag_.erase(session.local.ufrag);
  } else {
    session.previous = session.local;
  }
  session.local = make_credentials();
  session.remote_ufrag.clear();
  by_ufrag_[session.local.ufrag] = number;
  return session.local;
}

ByteView IceLite::answer_error(const StunView& request, uint16_t code, std::span<uint8_t> reply,
                               std::string_view password) {
  StunWriter writer(reply, StunType::kBindingError, request.transaction);
  writer.error(code);
  if (code == kUnknownAttribute) writer.unknown_attribute(request.unknown_required);
  if (!password.empty()) writer.integrity(password);
  const ByteView answer = writer.finish();
  return answer.size() <= request.bytes.size() ? answer : ByteView{};
}

IceOutcome IceLite::on_stun(const Path& path, ByteView bytes, MonoUs now,
                            std::span<uint8_t> reply) {
  StunView request;
  if (!parse_stun(bytes, request) || request.type != StunType::kBindingRequest ||
      !request.has_fingerprint) {
    ++stats_.malformed;  // also indications and answers: a lite agent asks nobody
    return {};
  }
  const size_t colon = request.username.find(':');
  if (colon == std::string_view::npos || !request.integrity_at) {
    ++stats_.malformed;
    return {std::nullopt, answer_error(request, kBadRequest, reply, {})};
  }
  const auto found = by_ufrag_.find(request.username.substr(0, colon));
  if (found == by_ufrag_.end()) {
    ++stats_.unknown_ufrag;
    return {std::nullopt, answer_error(request, kUnauthorized, reply, {})};
  }
  const IceSession number = found->second;
  Session& session = get(number);
  const bool current = found->first == session.local.ufrag;
  const std::string password = current ? session.local.password : session.previous.password;
  if (!check_stun_integrity(request, password) ||
      (current && !session.remote_ufrag.empty() &&
       request.username.substr(colon + 1) != session.remote_ufrag)) {
    ++stats_.bad_credentials;
    return {std::nullopt, answer_error(request, kUnauthorized, reply, {})};
  }
  if (request.unknown_required) {
    return {std::nullopt, answer_error(request, kUnknownAttribute, reply, password)};
  }
  if (request.controlled) {
    // A lite agent stays controlled; the peer must take the other role (section 7.3.1.1).
    ++stats_.role_conflicts;
    return {std::nullopt, answer_error(request, kRoleConflict, reply, password)};
  }
  if (current && !session.previous.ufrag.empty()) {
    by_ufrag_.erase(session.previous.ufrag);
    session.previous = {};
  }
  IceOutcome outcome = accept(number, session, path, request, now);
  StunWriter writer(reply, StunType::kBindingResponse, request.transaction);
  writer.xor_mapped_address(path.remote);
  writer.integrity(password);
  outcome.reply = writer.finish();
  if (outcome.reply.size() > bytes.size()) outcome.reply = {};
  return outcome;
}

IceOutcome IceLite::accept(IceSession number, Session& session, const Path& path,
                           const StunView& request, MonoUs now) {
  ++stats_.checks;
  session.heard_at = now;
  IceOutcome outcome;
  outcome.session = number;
  // The first valid path serves until the peer nominates one: DTLS need not wait for that. A later
  // nomination wins over an earlier one, which covers both kinds of nomination and a change of
  // network.
  if (!session.selected || (request.use_candidate && *session.selected != path)) {
    session.selected = path;
    outcome.selected_changed = true;
  }
  learn(number, session, path, now);
  return outcome;
}

void IceLite::learn(IceSession number, Session& session, const Path& path, MonoUs now) {
  const auto owner = by_path_.find(path);
  if (owner != by_path_.end() && owner->second == number) {
    for (auto& known : session.paths) {
      if (known.path == path) known.checked_at = now;
    }
    return;
  }
  if (owner != by_path_.end()) forget_path(path);  // the address has a new tenant
  if (session.paths.size() == kMaxPaths) {
    size_t oldest = session.paths.size();
    for (size_t i = 0; i < session.paths.size(); ++i) {
      if (session.paths[i].path == session.selected) continue;
      if (oldest == session.paths.size() ||
          session.paths[i].checked_at < session.paths[oldest].checked_at) {
        oldest = i;
      }
    }
    by_path_.erase(session.paths[oldest].path);
    session.paths.erase(session.paths.begin() + static_cast<ptrdiff_t>(oldest));
  }
  session.paths.push_back({path, now});
  by_path_[path] = number;
}

std::optional<IceSession> IceLite::session_of(const Path& path) const {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return std::nullopt;
  return found->second;
}

const Path* IceLite::selected(IceSession session) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || !found->second.selected) return nullptr;
  return &*found->second.selected;
}

void IceLite::forget_path(const Path& path) {
  const auto owner = by_path_.find(path);
  if (owner == by_path_.end()) return;
  Session& session = get(owner->second);
  by_path_.erase(owner);
  std::erase_if(session.paths, [&](const KnownPath& known) { return known.path == path; });
  if (session.selected != path) return;
  session.selected.reset();
  const auto latest = std::ranges::max_element(session.paths, {}, &KnownPath::checked_at);
  if (latest != session.paths.end()) session.selected = latest->path;
}

MonoUs IceLite::deadline() const { return expiries_.empty() ? kNever : expiries_.top().due; }

void IceLite::expire(MonoUs now, std::vector<IceSession>& lost) {
  while (!expiries_.empty() && expiries_.top().due <= now) {
    const IceSession number = expiries_.top().session;
    expiries_.pop();
    const auto found = sessions_.find(number);
    if (found == sessions_.end()) continue;
    const MonoUs due = found->second.heard_at + kConsentUs;
    if (due > now) {
      expiries_.push({due, number});
      continue;
    }
    lost.push_back(number);
    close(number);
  }
}

Result<bool> IceTcpReader::next(ByteView& in, ByteView& frame) {
  constexpr size_t kHeader = 2;
  if (!broken_ && stored_.size() > kHeader &&
      stored_.size() == kHeader + load_u16(stored_.data())) {
    stored_.clear();  // the frame handed out before
  }
  while (!broken_) {
    // Whole in the buffer just read: a view, nothing is stored.
    if (stored_.empty() && in.size() >= kHeader) {
      const size_t size = load_u16(in.data());
      if (size > kMaxFrameBytes) break;
      if (in.size() >= kHeader + size) {
        frame = in.subspan(kHeader, size);
        in = in.subspan(kHeader + size);
        if (size == 0) continue;
        return true;
      }
    }
    if (in.empty()) return false;
    const size_t want = stored_.size() < kHeader ? kHeader : kHeader + load_u16(stored_.data());
    if (want > kHeader + kMaxFrameBytes) break;
    const size_t take = std::min(want - stored_.size(), in.size());
    stored_.insert(stored_.end(), in.begin(), in.begin() + static_cast<ptrdiff_t>(take));
    in = in.subspan(take);
    if (stored_.size() < kHeader) continue;
    const size_t size = load_u16(stored_.data());
    if (size > kMaxFrameBytes) break;
    if (size == 0) stored_.clear();
    if (size != 0 && stored_.size() == kHeader + size) {
      frame = ByteView(stored_).subspan(kHeader);
      return true;
    }
  }
  broken_ = true;
  stored_.clear();
  in = {};
  return fail(Code::kIceFrame);
}

void write_ice_tcp_header(std::span<uint8_t, 2> out, size_t frame_bytes) {
  store_u16(out.data(), static_cast<uint16_t>(frame_bytes));
}

}  // namespace footlight::rtc
