// Windows and barriers: tiles run a window of at most one turnaround each for itself, then what they decided about
// frames is applied, in no particular order.
#include "mesh.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "aggregation.h"
#include "events.h"
#include "frame_changes.h"
#include "frames.h"
#include "life.h"
#include "log_order.h"
#include "mac.h"
#include "network.h"

namespace teiden {

// ---------------------------------------------------------------- one tile

Tile::~Tile() {
  for (Ear* ear : ears_) free_block(ear);
  delete events_;
}

void Tile::start_events() {
  if (fast()) wheel_.start();
  else events_ = new EventQueue;
}

void Tile::clear_events() {
  if (fast()) wheel_.clear();
  else events_->clear();
}

// Count records anew after the longest transmission has grown; the counts are zero.
void Tile::recount() {
  ages_.clear();
  for (int64_t& first : first_age_) first = 0;
  each_own_slot([&](int64_t slot) {
    cells_->each_record(slot, INT64_MIN, INT64_MAX, [&](const Record& r) {
      cells_->count(slot);
      ages_.push({r.start, slot});
    });
  });
  std::sort(ages_.begin(), ages_.end(), [](const Age& a, const Age& b) { return a.start < b.start; });
}

// Visit (key, tick, id, type) of all that is still to happen but timers and deaths.
template <class Visit>
void Tile::each_pending(Visit visit) const {
  each_event([&](const Event& e) {
    if (e.type == kInject || (e.type == kReceiveEnd && (!receptions_[e.arg].cut || receptions_[e.arg].to_all)))
      visit(sequence(e), e.tick, at(e.node).id, e.type);
  });
  for (int32_t node = first_; node < last_; ++node) {
    for (int32_t plan = at(node).planned; plan >= 0; plan = planned_[plan].next)
      visit(static_cast<uint64_t>(planned_[plan].what), planned_[plan].tick, at(node).id, int32_t{kSupply});
    for (int32_t copy = at(node).parked; copy >= 0; copy = copies_[copy].next)
      visit(world_->content_key(frame(copies_[copy].frame)), copies_[copy].due, at(node).id, int32_t{kOfferAgain});
  }
}

// ---------------------------------------------------------------- set-up

void Mesh::start(bool fast, int32_t threads, int32_t tiles, uint64_t turns) {
  const int32_t count = plane.size();
  const uint64_t seed = static_cast<uint64_t>(config().seed);
  fast_ = fast;
  threads_ = threads;
  turns_ = turns;
  world_.plane = &plane;
  plane.shadow_key = draw_key(seed, kShadow);
  world_.backoff_key = draw_key(seed, kBackoff);
  world_.decode_key = draw_key(seed, kDecode);
  world_.reoffer_key = draw_key(seed, kReoffer);
  world_.network_key = draw_key(seed, kNetworkDraw);
  const int64_t aggregate = config().aggregate_frames > 1 ? config().max_psdu_bytes : 0;
  world_.longest = airtime_us(config(), std::max(config().ack_bytes, aggregate));
  shortest_ = airtime_us(config(), config().ack_bytes);
  world_.live = std::max(config().cca_us, shortest_);
  cells_.copy_newest(!launch);  // on a device other warps hide what a look waits for
  if (fast) cells_.lay(plane);
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (fast && !plane.has_links) {
    std::vector<int64_t> cell(order.size());
    for (int32_t id = 0; id < count; ++id) cell[id] = cells_.cell_of(plane.x_mm[id], plane.y_mm[id]);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return cell[a] < cell[b]; });
  }
  nodes_.fill(count, Node{});
  accounts_.fill(count, Account{});
  if (config().pause_us || config().airtime_limit_us) air_accounts_.fill(count, AirAccount{});
  place_of_.resize(count);
  for (int32_t place = 0; place < count; ++place) {
    nodes_[place].id = order[place];
    nodes_[place].backed = backed.empty() ? 0 : backed[order[place]];
    place_of_[order[place]] = place;
    const int32_t id = order[place];
    nodes_[place].spot = {static_cast<int32_t>(plane.x_mm[id]), static_cast<int32_t>(plane.y_mm[id]),
                          static_cast<int32_t>(plane.extra_lu[id]),
                          fast ? cells_.cell_of(plane.x_mm[id], plane.y_mm[id]) : 0};
  }
  parent.assign(count, -1);
  hops.assign(count, -1);
  sink_of.assign(count, -1);
  etx.assign(count, -1);
  is_sink.assign(count, 0);
  cut_into_tiles(fast ? std::max(tiles, 1) : 1);
  world_.nodes = nodes_.begin();
  if (launch) {
    heap->serve(static_cast<int64_t>(tiles_.size()));
    standings_.fill(static_cast<int64_t>(tiles_.size()), Standing{});
    for (size_t k = 0; k < tiles_.size(); ++k) standings_[k].first = tile_first_[k];
    frame_locks_.fill(Windows::kFrameLocks, 0);
  } else if (fast && threads > 1) {
    crew_ = std::make_unique<Crew>(threads);
    run_ahead_ = std::make_unique<RunAhead>(crew_.get(), &tiles_, &world_, &cells_, &tile_first_, count);
  }
  turn_.resize(tiles_.size());
  std::iota(turn_.begin(), turn_.end(), 0);
  events_of_.assign(tiles_.size(), 0);
  busy_.assign(tiles_.size(), 0);
  if (turns)
    std::sort(turn_.begin(), turn_.end(), [&](int32_t a, int32_t b) { return splitmix64(a ^ turns) < splitmix64(b ^ turns); });
  refresh_tree();
  refresh_world();
}

// Bring up to date what the tiles read.
void Mesh::refresh_world() {
  world_.nodes = nodes_.begin();
  world_.accounts = accounts_.begin();
  world_.frames = frames_.begin();
  world_.kinds = kinds_.begin();
  world_.first_frame = first_frame_;
  world_.end_frame = end_frame();
  world_.routed = routed;
  world_.parent = tree_.begin();
  world_.is_sink = sinks_.begin();
  world_.pan = pans_.begin();
  world_.place_of = place_of_.begin();
  world_.earshot = &earshot_;
  world_.air_accounts = air_accounts_.empty() ? nullptr : air_accounts_.begin();
  world_.networks = networks_.empty() ? nullptr : networks_.begin();
  world_.seats = seats_.empty() ? nullptr : seats_.begin();
  world_.auth_slots = auth_slots_.empty() ? nullptr : auth_slots_.begin();
}

// Bring up to date the tree as the tiles read it.
void Mesh::refresh_tree() {
  tree_.resize(plane.size());
  sinks_.resize(plane.size());
  pans_.resize(plane.size());
  for (int64_t place = 0; place < tree_.size(); ++place) {
    const int32_t id = nodes_[place].id;
    tree_[place] = parent[id] < 0 ? -1 : place_of_[parent[id]];
    sinks_[place] = is_sink[id];
    pans_[place] = pan_of(id);
  }
}

void Mesh::loaded() {
  for (int64_t k = 0; k < kinds_.size(); ++k) {
    const Kind& kind = kinds_[k];
    kind_of_[{kind.reoffer_min, kind.reoffer_max, kind.psdu_bytes, kind.max_offers, kind.priority}] =
        static_cast<int32_t>(k);
    world_.longest = std::max(world_.longest, airtime_us(config(), kind.psdu_bytes));
    shortest_ = std::min(shortest_, airtime_us(config(), kind.psdu_bytes));
  }
  for (const Frame& frame : frames_)
    if (frame.dst == kEverybody && !earshot_.laid()) earshot_.lay(plane);
  know_control_frames();
  refresh_tree();
  refresh_world();
  recount();
}

int32_t Mesh::kind(const Given& g) {
  const KindKey key{g.reoffer_min, g.reoffer_max, g.psdu_bytes, g.max_offers, g.priority};
  const auto [found, is_new] = kind_of_.try_emplace(key, static_cast<int32_t>(kinds_.size()));
  if (is_new) {
    kinds_.push({g.reoffer_min, g.reoffer_max, g.psdu_bytes, g.max_offers, g.priority, 0});
    world_.kinds = kinds_.begin();
    const int64_t ticks = airtime_us(config(), g.psdu_bytes);
    shortest_ = std::min(shortest_, ticks);
    if (ticks > world_.longest) {
      world_.longest = ticks;
      recount();
    }
  }
  return found->second;
}

void Mesh::inject(const Given& given) {
  Frame frame{};
  frame.injected = given.tick;
  frame.src = place_of_[given.src];
  frame.dst = given.dst < 0 ? given.dst : place_of_[given.dst];
  if (given.dst == kEverybody && !earshot_.laid()) earshot_.lay(plane);
  frame.kind = kind(given);
  frame.sink = frame.ended_at = frame.failed_at = -1;
  frame.first_tx = frame.first_rx = frame.ended = frame.failed = -1;
  frame.last_reason = kNoRoute;  // for a copy that was handed back to where it had been
  frames_.push(frame);
  world_.frames = frames_.begin();
  world_.end_frame = end_frame();
  tile_of(frame.src).inject(end_frame() - 1);
}

// Plan changes of supplies. One that hits a transmission under way moves its end for all who know of it.
void Mesh::change_supply(int64_t count, const int32_t* ids, const int64_t* ticks, const int64_t* energy_nj,
                         const uint8_t* sleeps) {
  for (int64_t i = 0; i < count; ++i)
    tile_of(place_of_[ids[i]])
        .plan_supply(place_of_[ids[i]], ticks[i], energy_nj ? energy_nj[i] << 1 | int64_t{sleeps[i]} : kPowerOn);
  Array<Recut> moved;
  for (int64_t i = 0; i < count; ++i) tile_of(place_of_[ids[i]]).reconsider(place_of_[ids[i]], now, &moved);
  if (moved.empty()) return;
  std::sort(moved.begin(), moved.end(), [](const Recut& a, const Recut& b) { return a.id < b.id; });
  for (Tile& tile : tiles_) tile.recut(moved.begin(), moved.end());
  for (const Recut& m : moved) {
    if (!fast_) {
      air_.move_end(m.start, m.id, m.new_end);
      continue;
    }
    for (int32_t channel = 0; channel < std::max<int64_t>(config().channels, 1); ++channel)
      cells_.move_end(cells_.slot(nodes_[m.src].spot.cell, channel), m.start, m.id, m.new_end);
  }
}

// ---------------------------------------------------------------- time

// Cut the nodes, in order of cells, into tiles of whole cells and much the same size.
void Mesh::cut_into_tiles(int32_t wanted) {
  const int32_t count = plane.size();
  tile_first_.assign(1, 0);
  for (int32_t k = 1; k < wanted; ++k) {
    int32_t first = static_cast<int32_t>(int64_t{count} * k / wanted);
    while (first < count && first > 0 && nodes_[first].spot.cell == nodes_[first - 1].spot.cell) ++first;
    if (first < count && first > tile_first_.back()) tile_first_.push_back(first);
  }
  tiles_.make(tile_first_.size());
  cells_.share(tiles_.size() > 1);
  for (size_t k = 0; k < tiles_.size(); ++k)
    tiles_[k].start(&world_, &air_, &cells_, tile_first_[k], k + 1 < tiles_.size() ? tile_first_[k + 1] : count);
}

// Find the next window, from the next event on. Return whether there is one before a tick.
bool Mesh::next_window(int64_t tick) {
  int64_t next = kNever;
  for (Tile& tile : tiles_) next = std::min(next, tile.next_tick());
  if (next >= tick) return false;
  const int64_t ticks = window_ticks();
  window_.open(next, std::min(tick, next + ticks), config().lock_history_us, world_.longest);
  if (ahead_) run_ahead_->begin(window_.start, window_.end, shortest_);
  return true;
}

// Return how long the next window is: one turnaround, within which no node can tell what others do. Where all events
// happen in order, until the first reception that it may bring about. Where members run ahead of each other, twice as
// long each time, lest a storm finds them so.
int64_t Mesh::window_ticks() {
  constexpr int64_t kLongest = 64;  // turnarounds
  const int64_t turnaround = config().turnaround_us;
  ahead_ = crew_ && !living() && is_calm();
  calm_turnarounds_ = ahead_ ? std::min(2 * calm_turnarounds_, kLongest) : 1;
  if (ahead_) return calm_turnarounds_ * turnaround;
  return fast_ && !living() && tiles_.size() == 1 ? turnaround + shortest_ : turnaround;
}

// Return whether so little happens that meeting after every turnaround would cost members more than it.
bool Mesh::is_calm() {
  constexpr int64_t kCalm = 32;  // events a turnaround and member
  int64_t events = 0;
  for (const Tile& tile : tiles_) events += tile.counters.events;
  const int64_t recent = events - events_before_;
  events_before_ = events;
  const int64_t ticks = std::max<int64_t>(window_.end - window_.start, 1);
  return recent * config().turnaround_us < kCalm * crew_->size() * ticks;
}

void Mesh::run_tile(int32_t k) {
  tiles_[k].begin_window(window_.start);
  tiles_[k].run_until(window_.end);
}

void Mesh::run_until(int64_t tick) {
  refresh_world();
  if (launch) {
    run_by_kernels(tick);
    if (failed) return;
  } else if (crew_) {
    crew_->run([&](int member) { work(member, tick); });
  } else {
    while (next_window(tick)) {
      for (const int32_t k : turn_) run_tile(k);
      barrier();
      if (window_.sweeps()) forget_air(window_.sweep_before, 0, tiles_.size());
    }
  }
  now = std::max(now, tick);
}

// Run all windows before a tick by kernels. Between launches the host touches a few words only, or what is logged.
void Mesh::run_by_kernels(int64_t tick) {
  refresh_windows(tick);
  const size_t logged[] = {deliveries.size(), ends.size(), deaths.size(), joinings.size()};
  bool begins = true;
  do {
    heap->make_room(0);
    windows_.pause = kGoesOn;
    windows_.left = Windows::kEnoughWindows;
    ++windows_.launches;
    failed = launch(heap, &windows_, windows_.count, turns_, threads_, begins);
    if (heap->exhausted) failed = -1;
    if (failed) return;
    begins = false;
    if (windows_.pause == kLogsFull || windows_.pause == kDone) take_logs();
  } while (windows_.pause != kDone);
  const auto put_in_order = [](auto& log, size_t from) {
    put_log_in_order(log.begin() + static_cast<int64_t>(from), log.end());
  };
  put_in_order(deliveries, logged[0]), put_in_order(ends, logged[1]);
  put_in_order(deaths, logged[2]), put_in_order(joinings, logged[3]);
  take_totals();
}

// Bring up to date what the grid reads.
void Mesh::refresh_windows(int64_t tick) {
  windows_.tiles = tiles_.begin(), windows_.standings = standings_.begin(), windows_.count = tiles_.size();
  windows_.frames = frames_.begin(), windows_.frame_locks = frame_locks_.begin();
  windows_.seats = seats_.begin();
  windows_.first_frame = first_frame_;
  windows_.until = tick;
  windows_.turnaround = config().turnaround_us, windows_.history = config().lock_history_us;
  windows_.longest = world_.longest;
  windows_.phase = kLook;
}

// Move out what the grid has logged, and make the room that the window under way wants.
void Mesh::take_logs() {
  const auto take = [](const auto& log, auto& to) { to.insert(to.end(), log.rows.begin(), log.rows.begin() + log.size); };
  take(windows_.deliveries, deliveries), take(windows_.ends, ends);
  take(windows_.deaths, deaths), take(windows_.joinings, joinings);
  for (int64_t i = 0; i < windows_.moves.size; ++i) {
    const Move& move = windows_.moves.rows[i];
    parent[nodes_[move.node].id] = id_of(move.parent);
  }
  windows_.full_logs += windows_.pause == kLogsFull;
  windows_.each_log([](auto& log) {
    constexpr int64_t kFewest = 1024;  // rows
    const bool was_full = log.is_full();
    log.size = 0;
    if (was_full) log.rows.resize(std::max({2 * log.wanted, 2 * log.rows.size(), kFewest}));
  });
}

void Mesh::take_totals() {
  totals_.delivered += windows_.totals.delivered, totals_.resolved += windows_.totals.resolved;
  totals_.access_verdicts += windows_.totals.access_verdicts, totals_.no_ack_verdicts += windows_.totals.no_ack_verdicts;
  windows_.totals = Counters{};
  for (int i = 0; i < kOutcomes; ++i) outcome_counts_[i] += windows_.outcomes[i], windows_.outcomes[i] = 0;
}

// Let the tiles in which most has happened lately be taken first, so that nobody is left with a large one at the end.
void Mesh::put_busy_tiles_first() {
  for (size_t k = 0; k < tiles_.size(); ++k) {
    busy_[k] += tiles_[k].counters.events - events_of_[k] - busy_[k] / 8;
    events_of_[k] = tiles_[k].counters.events;
  }
  std::sort(turn_.begin(), turn_.end(),
            [&](int32_t a, int32_t b) { return busy_[a] != busy_[b] ? busy_[a] > busy_[b] : a < b; });
}

// Take part in all windows before a tick. Tiles are taken by whoever is free.
void Mesh::work(int member, int64_t tick) {
  for (;;) {
    if (member == 0) {
      taken_tiles_.store(0, std::memory_order_relaxed);
      at_work_ = next_window(tick);
      if (!turns_ && at_work_ && !ahead_) put_busy_tiles_first();
    }
    crew_->meet();
    if (!at_work_) return;
    if (ahead_) run_ahead_->run(member);
    for (int32_t k; !ahead_ && (k = taken_tiles_.fetch_add(1, std::memory_order_relaxed)) < static_cast<int32_t>(tiles_.size());)
      if (tiles_[turn_[k]].next_tick() < window_.end) run_tile(turn_[k]);
    const Window window = window_;  // this one
    crew_->meet();
    if (window.sweeps())
      forget_air(window.sweep_before, crew_->share(tiles_.size(), member), crew_->share(tiles_.size(), member + 1));
    if (member != 0) continue;
    if (ahead_) run_ahead_->finish();
    barrier();
  }
}

// Apply what the tiles decided in a window.
void Mesh::barrier() {
  constexpr int64_t kAhead = 16;  // frames fetched before their turn
  first_new_delivery_ = static_cast<int64_t>(deliveries.size());
  for (Tile& tile : tiles_)
    for (int64_t i = 0; i < tile.deltas.size(); ++i) {
      if (i + kAhead < tile.deltas.size()) prefetch_all(&frames_[tile.deltas[i + kAhead].frame - first_frame_]);
      if (tile.deltas[i].change == kArrived) take_arrivals(tile.deltas[i]);
    }
  for (Tile& tile : tiles_)
    for (const Delta& d : tile.deltas) apply(d);
  for (Tile& tile : tiles_) {
    for (const Delta& d : tile.deltas)
      if (d.change == kEnded) end(d.frame);
    tile.deltas.clear();
    for (const Dead& dead : tile.deaths) deaths.push_back(dead);
    tile.deaths.clear();
    for (const Move& move : tile.moves) seat(move);
    tile.moves.clear();
    for (const Joining& joining : tile.joinings) joinings.push_back(joining);
    tile.joinings.clear();
    for (const Reception& what : tile.outbox) tile_of(what.dst).post(what);
    tile.outbox.clear();
  }
  for (size_t i = static_cast<size_t>(first_new_delivery_); i < deliveries.size(); ++i)
    deliveries[i].attempts = frame_at(deliveries[i].frame).attempts_rx;
}

// Drop the transmissions that no look can reach any more, started before a tick in tiles from one up to another.
void Mesh::forget_air(int64_t before, size_t from, size_t to) {
  if (!fast_) air_.forget_before(before);
  for (; fast_ && from < to; ++from) tiles_[from].sweep(before);
}

void Mesh::recount() {
  if (!fast_) return;
  cells_.forget_ages();
  for (Tile& tile : tiles_) tile.recount();
}

// Return all signals that are kept, in order of start; the fast form saves them so.
std::vector<Signal> Mesh::signals() const {
  std::vector<Signal> found;
  for (int64_t slot = 0; slot < cells_.slots(); ++slot)
    cells_.each_record(slot, INT64_MIN, INT64_MAX, [&](const Record& r) {
      found.push_back({r.start, r.start + r.ticks, r.x_mm, r.y_mm, r.extra_lu, r.id, cells_.channel_of_slot(slot), 0});
    });
  std::sort(found.begin(), found.end(),
            [](const Signal& a, const Signal& b) { return a.start != b.start ? a.start < b.start : a.id < b.id; });
  return found;
}

// The first arrival by (tick, id) is the delivery; each arrival of a broadcast is one.
void Mesh::take_arrivals(const Delta& d) {
  Frame& f = frames_[d.frame - first_frame_];
  const Arrival arrival = note_arrival(f, d);
  totals_.delivered += arrival == kFirst;
  if (arrival == kFirst || f.dst == kEverybody) {
    deliveries.push_back({d.frame, d.tick, d.id, d.value, 0, 0});
  } else if (arrival == kEarlier) {
    for (size_t i = deliveries.size(); i-- > static_cast<size_t>(first_new_delivery_);)
      if (deliveries[i].frame == d.frame) deliveries[i] = {d.frame, d.tick, d.id, d.value, 0, 0};
  }
}

void Mesh::apply(const Delta& d) {
  if (change_frame(frames_[d.frame - first_frame_], d, config().turnaround_us))
    ++(d.value == kNoAck ? totals_.no_ack_verdicts : totals_.access_verdicts);
}

void Mesh::end(int64_t id) {
  Frame& f = frames_[id - first_frame_];
  if (!end_if_gone(f)) return;
  ++outcome_counts_[f.outcome];
  ++totals_.resolved;
  ends.push_back({id, f.ended, f.ended_at, f.outcome});
}

Counters Mesh::counters() const {
  Counters sum = totals_;
  int64_t* to = reinterpret_cast<int64_t*>(&sum);
  for (const Tile& tile : tiles_) {
    const int64_t* from = reinterpret_cast<const int64_t*>(&tile.counters);
    for (size_t i = 0; i < sizeof(Counters) / sizeof(int64_t); ++i) to[i] += from[i];
  }
  return sum;
}

int64_t Mesh::energy_nj(int32_t id, int64_t tick) const {
  return tile_of(place_of_[id]).energy_nj(place_of_[id], tick);
}

int64_t Mesh::spent_listening(int32_t id, int64_t tick) const {
  return tile_of(place_of_[id]).spent_listening(place_of_[id], tick);
}

int64_t Mesh::spent_asleep(int32_t id, int64_t tick) const {
  return tile_of(place_of_[id]).spent_asleep(place_of_[id], tick);
}

int64_t Mesh::spent_sending(int32_t id, int64_t tick) const {
  return tile_of(place_of_[id]).spent_sending(place_of_[id], tick);
}

// ---------------------------------------------------------------- digest

namespace {

uint64_t hash_words(uint64_t key, uint64_t lane, std::initializer_list<int64_t> words) {
  uint64_t h = splitmix64(key + lane);
  for (const int64_t word : words) h = splitmix64(h ^ static_cast<uint64_t>(word));
  return h;
}

// Add the hashes of frames to both lanes of a digest.
void hash_frames(const World& world, const Frame* first, const Frame* last, uint64_t sum[2]) {
  for (const Frame* f = first; f != last; ++f) {
    const uint64_t key = world.content_key(*f);
    for (uint64_t lane = 0; lane < 2; ++lane)
      sum[lane] += hash_words(key, lane, {f->first_tx, f->first_rx, f->sink, f->offers, f->attempts, f->copies, f->hops,
                                          f->outcome, f->gave_up});
  }
}

}  // namespace

void Mesh::forget_ended() {
  const Frame* const first = frames_.begin();
  const Frame* last = first;
  while (last != frames_.end() && last->outcome != kPending) ++last;
  const int64_t gone = last - first;
  if (gone == 0) return;
  constexpr int64_t kFew = 1000;  // not worth waking anybody
  if (crew_ && gone > kFew) {
    std::vector<std::array<uint64_t, 8>> sums(static_cast<size_t>(crew_->size()));  // a cache line each
    crew_->run([&](int member) {
      hash_frames(world_, first + crew_->share(gone, member), first + crew_->share(gone, member + 1), sums[member].data());
    });
    for (const auto& sum : sums) forgotten_[0] += sum[0], forgotten_[1] += sum[1];
  } else {
    hash_frames(world_, first, last, forgotten_);
  }
  std::copy(frames_.begin() + gone, frames_.end(), frames_.begin());
  frames_.cut(frames_.size() - gone);
  first_frame_ += gone;
  refresh_world();
}

// Hash the state by what it means: sums over frames, nodes and pending events, so that neither places nor the
// order of calls nor memory layout count.
void Mesh::digest(uint64_t out[2]) const {
  const Counters sum_of_counters = counters();
  uint64_t of_frames[2] = {forgotten_[0], forgotten_[1]};
  hash_frames(world_, frames_.begin(), frames_.end(), of_frames);
  for (uint64_t lane = 0; lane < 2; ++lane) {
    uint64_t sum = draw_u64(static_cast<uint64_t>(config().seed), kDigest, lane, static_cast<uint64_t>(now));
    const auto add = [&](uint64_t key, std::initializer_list<int64_t> words) { sum += hash_words(key, lane, words); };
    sum += of_frames[lane];
    for (int64_t i = 0; i < nodes_.size(); ++i) {
      const Node& n = nodes_[i];
      const Account& a = accounts_[i];
      add(static_cast<uint64_t>(n.id), {n.airtime, n.state, n.be, n.backoffs, n.retries, n.alive, n.stored, n.life, n.cut,
                                        n.tx_to, n.timer_at, n.queued, n.serving, n.ready_at, parent[n.id], a.energy,
                                        a.spent_listening, a.spent_tx, a.spent_rx, a.spent_asleep, n.asleep, n.channel_retries,
                                        a.death_at});
    }
    for (int32_t place = 0; living() && place < plane.size(); ++place) sum += network_hash(place, lane);
    for (const Tile& tile : tiles_)
      tile.each_pending([&](uint64_t key, int64_t tick, int32_t id, int32_t type) { add(key, {tick, id, type}); });
    const int64_t* words = reinterpret_cast<const int64_t*>(&sum_of_counters);
    for (size_t i = 0; i < sizeof(Counters) / sizeof(int64_t); ++i) add(1000 + i, {words[i]});
    out[lane] = sum;
  }
}

}  // namespace teiden
