// Ring of the last Depth entries of four channels, kept around a trigger, read through a window of
// words or drained over an AXI4-Stream.
//
// An entry is raw_i with raw_valid_i, or fine_i with fine_valid_i when fine_mode_i is high: codes, and half
// codes that are rounded half up and limited to codes; each holds for 4 clocks more. Channel c is in bits
// 24 c + 23 : 24 c, or 25 c + 24 : 25 c. index_i is the number of the newest raw sample. While the ring
// runs, a trigger (suspect_i, event_i and edge_i where enable_i has their bit 0, 1, 2, and command_i)
// keeps what came before it, at most pre_i entries and the newest one, lets post_i more come and freezes the ring;
// further triggers until then change nothing. freeze_i freezes at once, arm_i starts again, empty.
// What arrives while an entry is being written (5 clocks) waits for its end. done_o is high for one
// clock when the ring freezes. After reset the ring runs.
//
// Frozen, count_o entries can be read, the oldest at address 0; of these before_o came up to the trigger,
// whose cause_o (suspect, event, edge, command; 0: freeze_i) and trigger_o, the newest raw sample then,
// hold until the next arm_i. first_o is the number of the oldest raw sample (raw entries only).
// A read takes 2 clocks from req_i to ack_o with data_o: channel window_i, sign-extended. Reads while
// the ring runs are acknowledged but return whatever is there.
//
// stream_i, or freezing with auto_i high, sends the entries, oldest first, of each the channels in
// mask_i from 0 up, one sign-extended word a transfer, tlast with the last: a word every four
// clocks at most. Nothing is sent when the ring runs or mask_i is 0. arm_i waits until it has ended, so that
// no packet is cut; mask_i must hold meanwhile.
// Limits: Depth is a power of two; at least 6 clocks between entries.
module td_capture #(
  parameter int Depth = 4096
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     raw_valid_i,
  input  logic [95:0]              raw_i,
  input  logic [47:0]              index_i,
  input  logic                     fine_mode_i,
  input  logic                     fine_valid_i,
  input  logic [99:0]              fine_i,
  input  logic                     suspect_i,
  input  logic                     event_i,
  input  logic                     edge_i,
  input  logic                     command_i,
  input  logic [2:0]               enable_i,
  input  logic                     arm_i,
  input  logic                     freeze_i,
  input  logic [$clog2(Depth)-1:0] pre_i,
  input  logic [$clog2(Depth)-1:0] post_i,
  output logic                     frozen_o,
  output logic                     done_o,
  output logic [$clog2(Depth):0]   count_o,
  output logic [$clog2(Depth):0]   before_o,
  output logic [3:0]               cause_o,
  output logic [47:0]              trigger_o,
  output logic [47:0]              first_o,
  input  logic                     req_i,
  input  logic [$clog2(Depth)-1:0] addr_i,
  input  logic [1:0]               window_i,
  output logic                     ack_o,
  output logic [31:0]              data_o,
  input  logic                     stream_i,
  input  logic                     auto_i,
  input  logic [3:0]               mask_i,
  output logic                     streaming_o,
  output logic                     m_axis_tvalid,
  input  logic                     m_axis_tready,
  output logic [31:0]              m_axis_tdata,
  output logic                     m_axis_tlast
);
  localparam int PlaceWidth = $clog2(Depth);
  localparam logic [PlaceWidth:0] Full = (PlaceWidth + 1)'(Depth);
  typedef enum logic [1:0] {
    Run,
    Finish,
    Frozen
  } phase_e;

  phase_e phase_q;
  logic [PlaceWidth-1:0] place_q, left_q;
  logic [PlaceWidth:0] count_q, after_q;
  logic signed [PlaceWidth+1:0] last;  // place of the newest entry behind the oldest, -1: there is none
  logic [3:0] pending_q, fired, cause_q;
  logic freeze_q, arm_q;  // waiting for the end of an entry or of a stream
  logic entry, writes, idle, triggered, stop, arm;
  logic writing_q, written, fine_q;
  logic [1:0]            part_q;                 // channel being taken, written one clock later
  logic signed [24:0]    fine_word_q;            // half codes; 0 when a raw word is written
  logic        [23:0]    raw_word_q;             // 0 when a fine one is
  logic [47:0]           index_q;                // number of the newest entry's raw sample
  logic                  done_q;

  // ---- an entry, written one channel a clock --------------------------------------------------------
  assign entry   = fine_mode_i ? fine_valid_i : raw_valid_i;
  assign writes  = entry && phase_q != Frozen;
  assign idle    = !entry && !writing_q;
  assign written = writing_q && part_q == 2'd3;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      part_q    <= '0;
      index_q   <= '0;
      fine_q    <= 1'b0;
    end else if (writes && !writing_q) begin
      writing_q <= 1'b1;
      fine_q    <= fine_mode_i;
    end else if (writing_q) begin
      part_q    <= part_q + 1'b1;
      writing_q <= part_q != 2'd3;
      if (written) index_q <= index_i;
    end
  end

  // ---- triggers, and what the ring holds ------------------------------------------------------------
  assign fired     = pending_q | {command_i, enable_i & {edge_i, event_i, suspect_i}};
  assign arm       = (arm_i || arm_q) && idle && !streaming_o;
  assign triggered = phase_q == Run && idle && fired != '0;
  assign stop      = phase_q != Frozen && idle
                  && (freeze_i || freeze_q || (triggered && post_i == '0) || (phase_q == Finish && left_q == '0));
  assign last      = $signed({1'b0, count_q}) - 1'b1;
  assign first_o   = index_q - 48'(last);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q   <= Run;
      place_q   <= '0;
      left_q    <= '0;
      count_q   <= '0;
      after_q   <= '0;
      pending_q <= '0;
      freeze_q  <= 1'b0;
      arm_q     <= 1'b0;
      cause_q   <= '0;
      trigger_o <= '0;
      done_q    <= 1'b0;
    end else begin
      done_q    <= stop && !arm;
      arm_q     <= (arm_i || arm_q) && !arm;
      freeze_q  <= (freeze_i || freeze_q) && !idle && phase_q != Frozen;
      pending_q <= phase_q == Run && !idle ? fired : '0;
      if (written) begin
        place_q <= place_q + 1'b1;
        if (count_q != Full) count_q <= count_q + 1'b1;
        if (phase_q == Finish) begin
          left_q  <= left_q - 1'b1;
          after_q <= after_q + 1'b1;
        end
      end
      if (arm) begin
        phase_q <= Run;
        count_q <= '0;
        after_q <= '0;
        cause_q <= '0;
      end else if (triggered) begin
        phase_q   <= stop ? Frozen : Finish;
        left_q    <= post_i;
        if (last > $signed({2'd0, pre_i})) count_q <= (PlaceWidth + 1)'(pre_i) + 1'b1;
        cause_q   <= fired;
        trigger_o <= index_i;
      end else if (stop) begin
        phase_q <= Frozen;
        if (phase_q == Run) trigger_o <= index_i;
      end
    end
  end

  assign frozen_o = phase_q == Frozen;
  assign done_o   = done_q;
  assign count_o  = count_q;
  assign before_o = count_q - after_q;
  assign cause_o  = cause_q;

  // ---- stream ---------------------------------------------------------------------------------------
  typedef enum logic [2:0] {
    Idle,
    Read,
    Fetch,
    Take,
    Send
  } send_e;

  send_e                 send_q;
  logic [PlaceWidth-1:0] entry_place_q;
  logic [1:0] channel_q, lowest, following;
  logic [3:0] above;  // channels of the mask behind this one
  logic more, last_entry;

  function automatic logic [1:0] lowest_of(input logic [2:0] channels);  // 3 when none of 0 to 2 is there
    lowest_of = channels[0] ? 2'd0 : channels[1] ? 2'd1 : channels[2] ? 2'd2 : 2'd3;
  endfunction

  assign above       = mask_i & (4'b1110 << channel_q);
  assign more        = above != '0;
  assign lowest      = lowest_of(mask_i[2:0]);
  assign following   = lowest_of(above[2:0]);
  assign last_entry  = {2'd0, entry_place_q} == last;
  assign streaming_o = send_q != Idle;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      send_q        <= Idle;
      entry_place_q <= '0;
      channel_q     <= '0;
      m_axis_tdata  <= '0;
      m_axis_tlast  <= 1'b0;
    end else begin
      case (send_q)
        Idle: begin
          entry_place_q <= '0;
          channel_q     <= lowest;
          if (phase_q == Frozen && (stream_i || (auto_i && done_q)) && !arm && mask_i != '0 && count_q != '0) begin
            send_q <= Read;
          end
        end
        Read:  if (!req_i) send_q <= Fetch;
        Fetch: send_q <= Take;
        Take: begin
          send_q       <= Send;
          m_axis_tdata <= 32'(read_q);
          m_axis_tlast <= last_entry && !more;
        end
        default: begin
          if (m_axis_tready) begin
            send_q    <= m_axis_tlast ? Idle : Read;
            channel_q <= more ? following : lowest;
            if (!more) entry_place_q <= entry_place_q + 1'b1;
          end
        end
      endcase
    end
  end

  assign m_axis_tvalid = send_q == Send;

  // ---- memory: one write port, one read port behind a registered address ----------------------------
  logic [PlaceWidth-1:0] oldest_q;  // right once the ring stands still
  logic [PlaceWidth+1:0] read_place_q;
  logic signed [23:0]    ring_q [4*Depth];
  logic signed [23:0]    read_q;
  logic [1:0]            ack_q;
  logic [PlaceWidth+1:0] write_place_q;
  logic                  write_q;

  function automatic logic signed [23:0] code_of(input logic signed [24:0] half_codes);
    code_of = 24'((half_codes + (half_codes == 25'sh0FFFFFF ? 25'sd0 : 25'sd1)) >>> 1);
  endfunction

  always_ff @(posedge clk_i) begin
    if (writing_q) begin
      write_place_q <= {place_q, part_q};
      if (fine_q) begin
        fine_word_q <= fine_i[25*part_q+:25];
        raw_word_q  <= '0;
      end else begin
        fine_word_q <= '0;
        raw_word_q  <= raw_i[24*part_q+:24];
      end
    end
    if (write_q) ring_q[write_place_q] <= code_of(fine_word_q) | $signed(raw_word_q);
    if (ack_q[0] || send_q == Fetch) read_q <= ring_q[read_place_q];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      oldest_q     <= '0;
      read_place_q <= '0;
      ack_q        <= '0;
      write_q      <= 1'b0;
    end else begin
      write_q      <= writing_q;
      oldest_q     <= place_q - count_q[PlaceWidth-1:0];
      ack_q        <= {ack_q[0], req_i};
      if (req_i || send_q == Read) begin
        read_place_q <= {oldest_q + (req_i ? addr_i : entry_place_q), req_i ? window_i : channel_q};
      end
    end
  end

  assign ack_o  = ack_q[1];
  assign data_o = 32'(read_q);

`ifdef FORMAL
  `include "td_capture.svh"
`endif
endmodule
