// Made by hdl/regs/generate.py from teiden_frontend.rdl; do not edit.
// mapped_o: a register or memory is at this word; locked_o: the write lock covers it; beyond_o: above
// the last word that it covers. Combinational. A parameter that is 0 leaves the output of its name out: 0.
module td_map #(
  parameter bit Mapped = 1'b1,
  parameter bit Locked = 1'b1,
  parameter bit Beyond = 1'b1
) (
  input  logic [12:0] address_i,  // words
  output logic        mapped_o,
  output logic        locked_o,
  output logic        beyond_o
);
  assign mapped_o = Mapped && (address_i[12:12] == 1'h1 || address_i[12:9] == 4'h3 || address_i[12:7] == 6'h8 || address_i[12:6] == 7'h4 || address_i[12:5] == 8'hE || address_i[12:4] == 9'h0 || address_i[12:4] == 9'h5 || address_i[12:4] == 9'h20
                 || (address_i[12:4] == 9'h1 && (address_i[3:3] == 1'h0 || address_i[3:2] == 2'h2 || address_i[3:1] == 3'h6))
                 || (address_i[12:4] == 9'h2 && (address_i[3:2] == 2'h0 || address_i[3:2] == 2'h3 || address_i[3:1] == 3'h2 || address_i[3:1] == 3'h4 || address_i[3:0] == 4'h6))
                 || (address_i[12:4] == 9'h3 && (address_i[3:2] == 2'h0 || address_i[3:2] == 2'h2 || address_i[3:0] == 4'h4 || address_i[3:0] == 4'hC))
                 || (address_i[12:4] == 9'h6 && (address_i[3:2] == 2'h2 || address_i[3:1] == 3'h0))
                 || (address_i[12:4] == 9'h8 && (address_i[3:1] == 3'h0 || address_i[3:1] == 3'h2 || address_i[3:1] == 3'h4 || address_i[3:1] == 3'h6 || address_i[3:0] == 4'h2 || address_i[3:0] == 4'h6 || address_i[3:0] == 4'hA || address_i[3:0] == 4'hE))
                 || (address_i[12:4] == 9'h9 && (address_i[3:2] == 2'h2 || address_i[3:1] == 3'h0 || address_i[3:0] == 4'h2 || address_i[3:0] == 4'hC))
                 || (address_i[12:4] == 9'h18 && (address_i[3:1] == 3'h0))
                 || (address_i[12:4] == 9'h21 && (address_i[3:3] == 1'h1 || address_i[3:2] == 2'h0 || address_i[3:1] == 3'h2 || address_i[3:0] == 4'h6))
                 || (address_i[12:4] == 9'h22 && (address_i[3:3] == 1'h0 || address_i[3:1] == 3'h4 || address_i[3:0] == 4'hA))
                 || (address_i[12:4] == 9'h30 && (address_i[3:2] == 2'h1 || address_i[3:2] == 2'h2 || address_i[3:1] == 3'h0)));
  assign locked_o = Locked && ((address_i[12:4] == 9'h2 && (address_i[3:2] == 2'h3 || address_i[3:1] == 3'h4))
                 || (address_i[12:4] == 9'h3 && (address_i[3:2] == 2'h0 || address_i[3:0] == 4'h4))
                 || (address_i[12:4] == 9'h6 && (address_i[3:2] == 2'h2))
                 || (address_i[12:4] == 9'h8 && (address_i[3:1] == 3'h0 || address_i[3:1] == 3'h2 || address_i[3:1] == 3'h4 || address_i[3:1] == 3'h6 || address_i[3:0] == 4'h2 || address_i[3:0] == 4'h6 || address_i[3:0] == 4'hA || address_i[3:0] == 4'hE))
                 || (address_i[12:4] == 9'h9 && (address_i[3:2] == 2'h2 || address_i[3:1] == 3'h0 || address_i[3:0] == 4'h2))
                 || (address_i[12:4] == 9'h20 && (address_i[3:2] == 2'h2 || address_i[3:1] == 3'h1 || address_i[3:1] == 3'h3 || address_i[3:1] == 3'h6 || address_i[3:0] == 4'h0 || address_i[3:0] == 4'h4))
                 || (address_i[12:4] == 9'h21 && (address_i[3:1] == 3'h4))
                 || (address_i[12:4] == 9'h22 && (address_i[3:1] == 3'h0)));
  assign beyond_o = Beyond && address_i > 13'h0221;
endmodule
