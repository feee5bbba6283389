// Energies of intervals: with a tick, at its next step_i, the four totals are latched together; what
// each has grown since the tick that ended the interval before is the energy of the minute, and of the
// 5, 15 and 30 minutes that end with it. The minute within the half hour (0 to 29) counts ticks;
// align_i sets it to minute_i. While freeze_i is high the totals stand still, so an interval that ends
// then holds the energy up to the freeze and the rest goes to the one in which it is withdrawn.
//
// Records of eight words, read by address (req_i to ack_o 1 clock): 60 of a minute in a ring, then the
// latest of 5, 15 and 30 minutes at record 60, 61, 62. Words 0 to 3: growth of forward, reverse,
// lagging, leading, in 2^Shift of the totals, modulo 2^32; 4: samples since the tick before, modulo
// 2^32; 5: newest sample at the tick, low word; 6: its high word in 15:0, bit 16: whole (began with a
// tick, and has as many as its length), bit 17: totals were frozen in it; 7: number of the tick.
// A record is written within 40 clocks of the step; busy_o is high then.
// Limits: 64 clocks between steps; each total grows by less than 2^(32 + Shift) in 30 minutes.
module td_intervals #(
  parameter int Shift = 22
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        step_i,      // once a sample
  input  logic [47:0] index_i,     // number of the sample
  input  logic [63:0] forward_i,
  input  logic [63:0] reverse_i,
  input  logic [63:0] lagging_i,
  input  logic [63:0] leading_i,
  input  logic        freeze_i,
  input  logic        tick_i,      // one clock
  input  logic        align_i,
  input  logic [4:0]  minute_i,
  output logic        misuse_o,    // a tick before the step of the one before, or minute_i above 29
  output logic        busy_o,
  output logic [31:0] ticks_o,     // since reset
  output logic [5:0]  newest_o,    // record of the latest minute
  output logic [5:0]  count_o,     // minutes in the ring
  output logic [2:0]  latest_o,    // there is a record of 5, 15, 30 minutes
  output logic [4:0]  minute_o,    // of the interval now running
  input  logic        req_i,
  input  logic [8:0]  addr_i,      // words
  output logic        ack_o,
  output logic [31:0] data_o
);
  localparam logic [5:0] Ring = 6'd60;

  logic pending_q, run_q;
  logic [1:0]  length_q;                    // 1, 5, 15, 30 minutes
  logic [2:0]  word_q;
  logic [3:0] closes_q, opened_q, frozen_q;  // by length
  logic [31:0] total_q [4];
  logic [47:0] at_q;
  logic [31:0] ticks_q;
  logic [5:0] slot_q, count_q;
  logic [4:0]  minute_q;
  logic [2:0]  five_q;
  logic [4:0] fifteen_q, thirty_q;  // ticks in the interval of that length
  logic whole, last_word, go;
  logic [3:0] ends;

  assign go   = step_i && pending_q && !run_q;
  assign ends = {minute_q == 5'd29,
                 minute_q == 5'd14 || minute_q == 5'd29,
                 minute_q == 5'd4 || minute_q == 5'd9 || minute_q == 5'd14 || minute_q == 5'd19
                 || minute_q == 5'd24 || minute_q == 5'd29,
                 1'b1};
  assign last_word = word_q == 3'd7 || !closes_q[length_q];

  always_comb begin
    unique case (length_q)
      2'd0: whole = 1'b1;
      2'd1: whole = five_q == 3'd5;
      2'd2: whole = fifteen_q == 5'd15;
      2'd3: whole = thirty_q == 5'd30;
    endcase
    whole = whole && opened_q[length_q];
  end

  always_ff @(posedge clk_i) begin
    misuse_o <= 1'b0;
    if (!rst_ni) begin
      pending_q <= 1'b0;
      run_q     <= 1'b0;
      length_q  <= '0;
      word_q    <= '0;
      closes_q  <= '0;
      opened_q  <= '0;
      frozen_q  <= '0;
      at_q      <= '0;
      ticks_q   <= '0;
      slot_q    <= Ring - 1'b1;
      count_q   <= '0;
      minute_q  <= '0;
      five_q    <= '0;
      fifteen_q <= '0;
      thirty_q  <= '0;
    end else begin
      if (tick_i) pending_q <= 1'b1;
      else if (go) pending_q <= 1'b0;
      misuse_o <= (tick_i && pending_q && !go) || (align_i && minute_i > 5'd29);
      if (step_i && freeze_i) frozen_q <= '1;
      if (go) begin
        run_q     <= 1'b1;
        length_q  <= '0;
        word_q    <= '0;
        closes_q  <= ends;
        at_q      <= index_i;
        ticks_q   <= ticks_q + 1'b1;
        slot_q    <= slot_q == Ring - 1'b1 ? 6'd0 : slot_q + 1'b1;
        minute_q  <= ends[3] ? 5'd0 : minute_q + 1'b1;
        five_q    <= five_q == '1 ? five_q : five_q + 1'b1;
        fifteen_q <= fifteen_q == '1 ? fifteen_q : fifteen_q + 1'b1;
        thirty_q  <= thirty_q == '1 ? thirty_q : thirty_q + 1'b1;
        if (count_q != Ring) count_q <= count_q + 1'b1;
      end else if (run_q) begin
        word_q <= last_word ? 3'd0 : word_q + 1'b1;
        if (last_word) begin
          length_q <= length_q + 1'b1;
          run_q    <= length_q != 2'd3;
          if (closes_q[length_q]) begin
            opened_q[length_q] <= 1'b1;
            frozen_q[length_q] <= 1'b0;
            if (length_q == 2'd1) five_q <= '0;
            if (length_q == 2'd2) fifteen_q <= '0;
            if (length_q == 2'd3) thirty_q <= '0;
          end
        end
      end
      if (align_i && minute_i <= 5'd29) minute_q <= minute_i;
    end
  end

  // ---- totals: one register, which a freeze stops -------------------------------------------------
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      for (int j = 0; j < 4; j++) total_q[j] <= '0;
    end else if (step_i && !freeze_i) begin
      total_q[0] <= forward_i[Shift+:32];
      total_q[1] <= reverse_i[Shift+:32];
      total_q[2] <= lagging_i[Shift+:32];
      total_q[3] <= leading_i[Shift+:32];
    end
  end

  // ---- a word a clock, chosen, then written ---------------------------------------------------------
  logic [31:0] former_q[32];  // by length and word: where the interval began
  logic [31:0] total_word_q, other_word_q, former_word_q, now, other_word;  // one of the first two is 0
  logic [5:0]  record;
  logic [8:0]  write_place_q;
  logic [4:0]  former_place_q;
  logic write_q, grows, grows_q;

  assign grows  = word_q <= 3'd4;
  assign record = length_q == 2'd0 ? slot_q : Ring + 6'(length_q) - 1'b1;
  assign now    = total_word_q | other_word_q;

  always_comb begin
    unique case (word_q[1:0])
      2'd2:    other_word = {14'd0, frozen_q[length_q], whole, at_q[47:32]};
      2'd3:    other_word = ticks_q;
      default: other_word = at_q[31:0];
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (word_q[2]) total_word_q <= '0;
    else total_word_q <= total_q[word_q[1:0]];
    if (word_q[2]) other_word_q <= other_word;
    else other_word_q <= '0;
    if (grows && opened_q[length_q]) former_word_q <= former_q[{length_q, word_q}];
    else former_word_q <= '0;  // 0 at reset
    if (write_q && grows_q) former_q[former_place_q] <= now;
    grows_q        <= grows;
    former_place_q <= {length_q, word_q};
    write_place_q  <= {record, word_q};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) write_q <= 1'b0;
    else write_q <= run_q && closes_q[length_q];
  end

  logic [31:0] store_q [512];
  logic [31:0] read_q;
  logic        ack_q;

  always_ff @(posedge clk_i) begin
    if (write_q) store_q[write_place_q] <= now - former_word_q;
    if (req_i) read_q <= store_q[addr_i];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) ack_q <= 1'b0;
    else ack_q <= req_i;
  end

  assign ack_o    = ack_q;
  assign data_o   = read_q;
  assign busy_o   = run_q || write_q;
  assign ticks_o  = ticks_q;
  assign newest_o = slot_q;
  assign count_o  = count_q;
  assign latest_o = opened_q[3:1];
  assign minute_o = minute_q;

  logic unused;
  assign unused = &{1'b0, forward_i, reverse_i, lagging_i, leading_i};  // bits below the step and above
endmodule
