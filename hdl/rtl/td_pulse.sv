// Energy pulse output (CF). Every sample adds the power of the last cycle, in the direction that source_i
// asks for, to an account; when it holds energy_i a pulse of width_i samples goes out, followed by at least
// as long a gap. The power is the mean of a whole cycle, so pulses come evenly and are the energy registers'
// within a cycle. energy_i = 0 or enable_i = 0: no pulses, the account is empty.
//   source_i  0 active power, either direction; 1 forward; 2 reverse; 3 reactive power, either sign
// late_o: a pulse is due while the one before still runs. It comes later; only a backlog of 2^64 squared codes
// x sample is beyond the account, and then energy is lost.
// Latency: the account moves 2 clocks after valid_i, cf_o 3 clocks after it.
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
  logic signed [63:0] power;
  logic [63:0]        amount_q;
  logic [64:0]        account_q;
  logic [16:0]        left_q;   // samples until the output is free
  logic [15:0]        width;
  logic               on, add_q, decide_q, due;

  assign on    = enable_i && energy_i != '0;
  assign power = source_i == 2'd3 ? q_i : p_i;
  assign width = width_i == '0 ? 16'd1 : width_i;
  assign due   = account_q >= {1'b0, energy_i, 16'd0};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      amount_q  <= '0;
      account_q <= '0;
      left_q    <= '0;
      add_q     <= 1'b0;
      decide_q  <= 1'b0;
      cf_o      <= 1'b0;
      count_o   <= '0;
      late_o    <= 1'b0;
    end else begin
      add_q    <= valid_i;
      decide_q <= add_q;
      late_o   <= decide_q && on && due && left_q != '0;
      if (valid_i) begin
        amount_q <= '0;
        unique case (source_i)
          2'd1: if (loaded_p_i && !power[63]) amount_q <= power;
          2'd2: if (loaded_p_i && power[63]) amount_q <= -power;
          default: if (source_i == 2'd3 ? loaded_q_i : loaded_p_i) amount_q <= power[63] ? -power : power;
        endcase
      end
      if (!on) account_q <= '0;
      else if (add_q && !account_q[64]) account_q <= account_q + {1'b0, amount_q};
      else if (decide_q && due && left_q == '0) account_q <= account_q - {1'b0, energy_i, 16'd0};
      if (decide_q) begin
        if (on && due && left_q == '0) begin
          cf_o    <= 1'b1;
          count_o <= count_o + 1'b1;
          left_q  <= {width, 1'b0} - 17'd1;
        end else begin
          if (left_q != '0) left_q <= left_q - 1'b1;
          if (left_q <= 17'(width)) cf_o <= 1'b0;
        end
      end
    end
  end
endmodule
