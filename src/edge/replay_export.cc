// docs/formats/export.md, byte for byte.
#include <utility>

#include "core/json.h"
#include "edge/internal/log_reader.h"
#include "edge/replay.h"

namespace footlight::edge {
namespace {

std::string episode_of(const Json& genesis) { return genesis["episode"].as_string(); }

void write_ballot(JsonWriter& out, const episode::Ballot& ballot, std::string_view poll) {
  out.object().field("poll", poll);
  out.field("who", std::string_view(hex_u64(ballot.who)));
  out.field("cid", std::string_view(hex_u64(ballot.cid)));
  out.field("i", ballot.i).field("n", ballot.n).key("choice").array();
  for (int i = 0; i < 32; ++i) {
    if (ballot.choice_mask >> i & 1) out.value(i);
  }
  out.end_array().field("weight", static_cast<int>(ballot.weight));
  out.field("flags", static_cast<int>(ballot.flags)).field("edge", static_cast<int>(ballot.edge));
  out.field("edge_ms", ballot.edge_ms);
  out.field("receipt", std::string_view(to_hex(episode::ballot_receipt(ballot, poll))));
  out.end_object();
}

// The first record's episode id; the header needs it before the first line.
Result<std::string> first_episode(log::EventLog& log) {
  std::string id;
  bool genesis = false;
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    genesis = record.kind == log::RecordKind::kGenesis;
    const auto json = Json::parse(as_text(record.payload));
    if (json) id = episode_of(*json);
    return false;
  });
  if (!read) return std::unexpected(read.error());
  if (!genesis && log.head().seq > 0) return fail(Code::kLogCorrupt, "the log has no genesis");
  return id;
}

class JsonLines {
 public:
  explicit JsonLines(const Sink& sink) : sink_(sink) {}

  bool header(std::string_view episode, uint64_t records) {
    JsonWriter out(line_);
    out.object().field("footlight", "export").field("v", 1);
    out.field("episode", episode).field("records", records).end_object();
    return finish();
  }

  bool record(const log::StoredRecord& record) {
    JsonWriter out(line_);
    out.object().field("seq", record.seq).field("kind", record_kind_name(record.kind));
    out.field("at_ms", record.at_ms).field("chain", std::string_view(to_hex(record.chain)));
    out.field("payload", std::string_view(to_base64url(record.payload))).key("data");
    if (record.kind == log::RecordKind::kBallots) {
      ballots_.clear();
      if (auto decoded = episode::decode_ballots(record.payload, ballots_); !decoded) {
        status_ = decoded;
        return false;
      }
      out.array();
      for (const auto& ballot : ballots_) write_ballot(out, ballot, polls_.of(ballot.poll));
      out.end_array();
    } else {
      const std::string_view text = as_text(record.payload);
      if (record.kind == log::RecordKind::kGenesis) {
        if (const auto json = Json::parse(text)) polls_.genesis(*json);
      } else {
        polls_.event(text);
      }
      out.raw(text);
    }
    out.end_object();
    return finish();
  }

  bool footer(const log::Head& head) {
    const Hash256 hash = sha_.finish();
    JsonWriter out(line_);
    out.object().field("end", true).field("seq", head.seq);
    out.field("chain", std::string_view(to_hex(head.chain)));
    out.field("sha256", std::string_view(to_hex(hash))).end_object();
    return finish();
  }

  const Status& status() const { return status_; }

 private:
  bool finish() {
    line_ += '\n';
    sha_.update(line_);
    const bool taken = sink_(line_);
    line_.clear();
    if (!taken) status_ = fail(Code::kIo, "the export could not be written");
    return taken;
  }

  const Sink& sink_;
  Sha256 sha_;
  std::string line_;
  PollNames polls_;
  std::vector<episode::Ballot> ballots_;
  Status status_;
};

// RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe.
class Row {
 public:
  Row& text(std::string_view value) {
    comma();
    std::string safe;
    if (!value.empty() && std::string_view("=+-@\t\r").find(value.front()) != value.npos) {
      safe = "'";
    }
    safe += value;
    if (safe.find_first_of(",\"\r\n") == std::string::npos) {
      line_ += safe;
      return *this;
    }
    line_ += '"';
    for (const char c : safe) {
      if (c == '"') line_ += '"';
      line_ += c;
    }
    line_ += '"';
    return *this;
  }
  Row& number(int64_t value) {
    comma();
    line_ += std::to_string(value);
    return *this;
  }
  Row& number(uint64_t value) { return number(static_cast<int64_t>(value)); }
  Row& integer_of(const Json& value) {
    return value.is_integer() ? number(value.as_int()) : text(value.as_string());
  }
  std::string take() {
    line_ += "\r\n";
    first_ = true;
    return std::exchange(line_, {});
  }

 private:
  void comma() {
    if (!first_) line_ += ',';
    first_ = false;
  }
  std::string line_;
  bool first_ = true;
};

struct CsvTable {
  std::string_view name;
  std::string_view head;
};
constexpr CsvTable kTables[] = {
    {"ballots", "seq,at_ms,poll,who,cid,i,n,choice,weight,flags,edge,edge_ms,receipt\r\n"},
    {"polls", "seq,at_ms,poll,voters,winner,why,counts,chain_log,chain\r\n"},
    {"rolls", "seq,at_ms,n,who,name,char,expr,nonce,dice,total,crit,secret,hash\r\n"},
    {"events", "seq,at_ms,kind,who,name,role,data\r\n"},
};

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& each : texts) {
    if (!out.empty()) out += ' ';
    out += each;
  }
  return out;
}

std::string csv_ballots(Row& row, const log::StoredRecord& record, const PollNames& polls,
                        std::span<const episode::Ballot> ballots) {
  std::string out;
  for (const episode::Ballot& ballot : ballots) {
    std::vector<std::string> choice;
    for (int i = 0; i < 32; ++i) {
      if (ballot.choice_mask >> i & 1) choice.push_back(std::to_string(i));
    }
    const std::string_view poll = polls.of(ballot.poll);
    row.number(record.seq).number(record.at_ms).text(poll).text(hex_u64(ballot.who));
    row.text(hex_u64(ballot.cid)).number(ballot.i).number(uint64_t{ballot.n});
    row.text(joined(choice)).number(uint64_t{ballot.weight}).number(uint64_t{ballot.flags});
    row.number(uint64_t{ballot.edge}).number(ballot.edge_ms);
    row.text(to_hex(episode::ballot_receipt(ballot, poll)));
    out += row.take();
  }
  return out;
}

std::string csv_event(Row& row, std::string_view table, const log::StoredRecord& record) {
  const auto json = Json::parse(as_text(record.payload));
  if (!json) return {};
  const std::string& kind = (*json)["k"].as_string();
  const Json& data = (*json)["d"];
  if (table == "events") {
    row.number(record.seq).number(record.at_ms).text(kind).text((*json)["who"].as_string());
    row.text((*json)["name"].as_string()).text((*json)["role"].as_string()).text(data.dump());
    return row.take();
  }
  if (table == "polls" && kind == "poll.closed") {
    std::vector<std::string> counts;
    for (const Json& each : data["counts"].items()) {
      counts.push_back(std::to_string(each.as_int()));
    }
    row.number(record.seq).number(record.at_ms).text(data["poll"].as_string());
    row.integer_of(data["voters"]).integer_of(data["winner"]).text(data["why"].as_string());
    row.text(joined(counts)).integer_of(data["chain_log"]).text(data["chain"].as_string());
    return row.take();
  }
  if (table == "rolls" && kind == "dice.rolled") {
    std::vector<std::string> dice;
    for (const Json& die : data["dice"].items()) {
      std::string shown = std::to_string(die["value"].as_int());
      if (!die["kept"].as_bool()) shown = "(" + shown + ")";
      dice.push_back(std::move(shown));
    }
    row.number(record.seq).number(record.at_ms).integer_of(data["n"]);
    row.text((*json)["who"].as_string()).text((*json)["name"].as_string());
    row.text(data["char"].as_string()).text(data["expr"].as_string());
    row.text(data["nonce"].as_string()).text(joined(dice)).integer_of(data["total"]);
    row.text(data["crit"].as_string()).text(data["secret"].as_bool() ? "true" : "false");
    row.text(data["hash"].as_string());
    return row.take();
  }
  return {};
}

}  // namespace

Status export_jsonl(log::EventLog& log, const Sink& sink) {
  const log::Head head = log.head();
  auto episode = first_episode(log);
  if (!episode) return std::unexpected(episode.error());
  JsonLines lines(sink);
  if (!lines.header(*episode, head.seq)) return lines.status();
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    return record.seq <= head.seq && lines.record(record);
  });
  if (!read) return read;
  if (!lines.status()) return lines.status();
  lines.footer(head);
  return lines.status();
}

Status export_csv(log::EventLog& log, std::string_view table, const Sink& sink) {
  const CsvTable* wanted = nullptr;
  for (const CsvTable& each : kTables) {
    if (each.name == table) wanted = &each;
  }
  if (wanted == nullptr) return fail(Code::kUsage, "tables: ballots, polls, rolls, events");
  bool written = true;
  const auto put = [&](std::string_view chunk) {
    written = chunk.empty() || sink(chunk);
    return written;
  };
  if (!put(wanted->head)) return fail(Code::kIo, "the export could not be written");
  Status decoded;
  Row row;
  PollNames polls;
  std::vector<episode::Ballot> ballots;
  const Status read = log.read(0, [&](const log::StoredRecord& record) {
    if (record.kind == log::RecordKind::kGenesis) {
      if (const auto json = Json::parse(as_text(record.payload))) polls.genesis(*json);
      return true;
    }
    if (record.kind == log::RecordKind::kEvent) {
      polls.event(as_text(record.payload));
      return table == "ballots" || put(csv_event(row, table, record));
    }
    if (record.kind != log::RecordKind::kBallots || table != "ballots") return true;
    ballots.clear();
    decoded = episode::decode_ballots(record.payload, ballots);
    return decoded.has_value() && put(csv_ballots(row, record, polls, ballots));
  });
  if (!read) return read;
  if (!written) return fail(Code::kIo, "the export could not be written");
  return decoded;
}

}  // namespace footlight::edge
