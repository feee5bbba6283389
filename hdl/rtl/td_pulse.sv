// Energy pulse output (CF). Every sample adds the power of the last cycle, in the direction that source_i
// asks for, to an account; when it holds energy_i a pulse of width_i samples goes out, followed by at least
// as long a gap. The power is the mean of a whole cycle, so pulses come evenly and are the energy registers'
// within a cycle. energy_i = 0 or enable_i = 0: no pulses, the account is empty.
//   source_i  0 active power, either direction; 1 forward; 2 reverse; 3 reactive power, either sign
// late_o: a pulse is due while the one before still runs. It comes later; only a backlog of 2^64 squared codes
// x sample is beyond the account, and then energy is lost.
// One adder of 16 bits takes the account word by word in three passes: the power is added, the energy of a pulse is
// taken off a copy, and the copy replaces the account if a pulse goes out.
// Latency: cf_o, count_o and late_o 13 clocks after valid_i. Limits: 17 clocks from one valid_i to the next; p_i, q_i
// and source_i steady for 6 clocks from valid_i on.
module td_pulse (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               valid_i,
  input  logic               enable_i,
  input  logic        [1:0]  source_i,
  input  logic        [47:0] energy_i,   // 65536 squared codes x sample
  input  logic        [15:0] width_i,    // samples; 0 counts as 1
  input  logic signed [63:0] p_i,        // squared codes
  input  logic signed [63:0] q_i,
  input  logic               loaded_p_i,
  input  logic               loaded_q_i,
  output logic               cf_o,
  output logic        [31:0] count_o,
  output logic               late_o
);
  typedef enum logic [1:0] {
    Rest,
    Add,
    Compare,
    Replace
  } pass_e;
  localparam logic [2:0] LastWord = 3'd4;

  // ---- passes: a word is read, in the next clock it is added ---------------------------------------------
  pass_e pass_q, does_q;
  logic [2:0] word_q;
  logic first_q, last_q;  // word of the pass that is added

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      pass_q <= Rest;
      does_q <= Rest;
      word_q <= '0;
    end else begin
      does_q <= pass_q;
      if (valid_i) begin
        pass_q <= Add;
        word_q <= '0;
      end else if (word_q == LastWord) begin
        word_q <= '0;
        unique case (pass_q)
          Add:     pass_q <= Compare;
          Compare: pass_q <= Replace;
          default: pass_q <= Rest;
        endcase
      end else if (pass_q != Rest) begin
        word_q <= word_q + 1'b1;
      end
    end
    first_q <= word_q == '0;
    last_q  <= word_q == LastWord;
  end

  // ---- operands: each is 0 unless it is its turn -----------------------------------------------------------
  logic [79:0] account_q, less_q;  // the account, the account less the energy of a pulse
  logic [15:0] p_q, q_q, energy_q;
  logic [63:0] energy;
  logic [5:0]  at;
  logic reactive, counts_q, negative_q, negate_q;

  assign reactive = source_i == 2'd3;
  assign energy   = {energy_i, 16'd0};
  assign at       = {word_q[1:0], 4'd0};

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      negative_q <= reactive ? q_i[63] : p_i[63];
      counts_q   <= !account_q[64] && (reactive ? loaded_q_i
                                                : loaded_p_i && (source_i == '0 || p_i[63] == source_i[1]));
    end
    p_q      <= '0;
    q_q      <= '0;
    energy_q <= '0;
    negate_q <= pass_q == Compare;
    if (pass_q == Add && counts_q && word_q != LastWord) begin
      if (reactive) q_q <= q_i[at+:16];
      else p_q <= p_i[at+:16];
      negate_q <= negative_q;
    end
    if (pass_q == Compare && word_q != LastWord) energy_q <= energy[at+:16];
  end

  // ---- account ---------------------------------------------------------------------------------------------
  logic carry, carry_q, due, idle, due_q, take_q, decide_q;
  logic        any_q;  // energy_i is not 0
  logic [15:0] sum;

  assign {carry, sum} = {1'b0, account_q[15:0]} + {1'b0, (p_q | q_q | energy_q) ^ {16{negate_q}}}
                      + 17'(first_q ? negate_q : carry_q);
  assign due = carry && any_q && enable_i;

  always_ff @(posedge clk_i) begin
    carry_q <= carry;
    if (does_q == Compare) any_q <= energy_q != '0 || (any_q && !first_q);
    if (!rst_ni || !enable_i || (does_q == Replace && !any_q)) begin
      account_q <= '0;
    end else if (does_q != Rest) begin
      account_q <= account_q >> 16;
      if (does_q == Add) account_q[79:64] <= sum;
      else if (does_q == Replace && take_q) account_q[79:64] <= less_q[15:0];
      else account_q[79:64] <= account_q[15:0];
    end
    less_q <= rst_ni ? {sum, less_q[79:16]} : '0;
  end

  // ---- pulses ----------------------------------------------------------------------------------------------
  logic [16:0] left_q, after;  // samples until the output is free, and one more
  logic [15:0] width;

  assign width = {width_i[15:1], width_i[0] || width_i[15:1] == '0};
  assign after = left_q - 1'b1;
  assign idle  = left_q[16:1] == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q   <= '0;
      due_q    <= 1'b0;
      take_q   <= 1'b0;
      decide_q <= 1'b0;
      cf_o     <= 1'b0;
      count_o  <= '0;
      late_o   <= 1'b0;
    end else begin
      decide_q <= does_q == Compare && last_q;
      if (does_q == Compare && last_q) begin
        due_q  <= due;
        take_q <= due && idle;
      end
      late_o <= decide_q && due_q && !take_q;
      if (decide_q && take_q) begin
        cf_o    <= 1'b1;
        count_o <= count_o + 1'b1;
        left_q  <= {width, 1'b0};
      end else if (decide_q && !idle) begin
        if (after <= 17'(width)) cf_o <= 1'b0;
        left_q <= after;
      end
    end
  end
endmodule
