// Results of a publication: 64 words of 32 bits in one of four banks of a memory. What is written goes to a bank
// nobody sees; publishing_i shows it as a whole, take_i (SNAPSHOT) holds what is shown for reading until the next
// take_i. So words read belong to one publication, and publishing never waits for a reader. Every word but
// number 0 must be written before each publishing_i; word 0 is whole_i of that publication.
// Latency: a read takes 2 clocks from req_i to ack_o with data_o; before the first publication words are 0.
module td_results (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        write_i,
  input  logic [5:0]  index_i,       // word; those from 44 on are not shown
  input  logic [31:0] data_i,
  input  logic        publishing_i,
  input  logic        whole_i,
  input  logic        take_i,
  input  logic        req_i,
  input  logic [5:0]  addr_i,        // word
  output logic        ack_o,
  output logic [31:0] data_o
);
  logic [1:0]  fill_q, shown_q, held_q, spare;
  logic        shown_valid_q, held_valid_q;
  logic [3:0]  whole_q;              // of each bank
  logic [31:0] words_q [256];
  logic [31:0] word_q;
  logic        flags_q, flag_q, valid_q, read_q;

  // Neither the bank now shown nor the one before it, which a take_i of the same clock holds, nor the held one.
  always_comb begin
    spare = 2'd0;
    for (int j = 3; j >= 0; j--) begin
      if (2'(j) != fill_q && 2'(j) != shown_q && 2'(j) != held_q) spare = 2'(j);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q        <= 2'd0;
      shown_q       <= 2'd1;
      held_q        <= 2'd2;
      shown_valid_q <= 1'b0;
      held_valid_q  <= 1'b0;
      whole_q       <= '0;
    end else begin
      if (publishing_i) begin
        shown_q         <= fill_q;
        fill_q          <= spare;
        shown_valid_q   <= 1'b1;
        whole_q[fill_q] <= whole_i;
      end
      if (take_i) begin
        held_q       <= shown_q;
        held_valid_q <= shown_valid_q;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (write_i) words_q[{fill_q, index_i}] <= data_i;
    if (req_i)   word_q <= words_q[{held_q, addr_i}];
  end

  always_ff @(posedge clk_i) begin
    read_q <= rst_ni && req_i;
    ack_o  <= rst_ni && read_q;
    if (req_i) begin
      flags_q <= addr_i == '0;
      flag_q  <= whole_q[held_q];
      valid_q <= held_valid_q && addr_i < 6'd44 && addr_i != 6'd7;
    end
  end

  always_ff @(posedge clk_i) begin
    if (read_q) data_o <= !valid_q ? '0 : (flags_q ? 32'(flag_q) : word_q);
  end
endmodule
