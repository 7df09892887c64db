// What LaTeX's commands mean: signs, functions, spaces, accents, environments.
const GREEK = Object.fromEntries(('alpha:α beta:β gamma:γ delta:δ epsilon:ϵ varepsilon:ε zeta:ζ eta:η theta:θ vartheta:ϑ iota:ι '
  + 'kappa:κ lambda:λ mu:μ nu:ν xi:ξ pi:π rho:ρ sigma:σ tau:τ upsilon:υ phi:ϕ varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ '
  + 'Theta:Θ Lambda:Λ Xi:Ξ Pi:Π Sigma:Σ Phi:Φ Psi:Ψ Omega:Ω infty:∞ ell:ℓ hbar:ℏ Re:ℜ Im:ℑ aleph:ℵ emptyset:∅ varnothing:∅ '
  + 'degree:° prime:′ partial:∂ nabla:∇ dagger:† pounds:£ imath:ı jmath:ȷ').split(' ').map((pair) => pair.split(':')));
const OPERATORS = Object.fromEntries(('cdot:⋅ times:× div:÷ pm:± mp:∓ le:≤ leq:≤ leqslant:≤ ge:≥ geq:≥ geqslant:≥ ne:≠ neq:≠ '
  + 'approx:≈ equiv:≡ sim:∼ cong:≅ simeq:≃ propto:∝ in:∈ notin:∉ ni:∋ subset:⊂ subseteq:⊆ supset:⊃ supseteq:⊇ cup:∪ cap:∩ '
  + 'setminus:∖ backslash:∖ to:→ rightarrow:→ longrightarrow:⟶ leftarrow:← Rightarrow:⇒ implies:⟹ Longrightarrow:⟹ Longleftrightarrow:⟺ Leftarrow:⇐ iff:⟺ '
  + 'Leftrightarrow:⇔ leftrightarrow:↔ mapsto:↦ sum:∑ prod:∏ int:∫ iint:∬ oint:∮ ldots:… dots:… cdots:⋯ vdots:⋮ ddots:⋱ dotsc:… dotsb:⋯ '
  + 'angle:∠ triangle:△ perp:⊥ parallel:∥ mid:∣ nmid:∤ circ:∘ star:⋆ ast:∗ bullet:• oplus:⊕ otimes:⊗ land:∧ wedge:∧ lor:∨ vee:∨ neg:¬ lnot:¬ '
  + 'forall:∀ exists:∃ therefore:∴ because:∵ lfloor:⌊ rfloor:⌋ lceil:⌈ rceil:⌉ langle:⟨ rangle:⟩ vert:| lvert:| rvert:| Vert:‖ lbrace:{ rbrace:} '
  + 'square:□ Box:□ ll:≪ gg:≫ prec:≺ succ:≻ nleq:≰ ngeq:≱ odot:⊙ bigtriangleup:△ bigtriangledown:▽ diamondsuit:♢ heartsuit:♡ spadesuit:♠ clubsuit:♣ dotsm:⋯ diamond:⋄ blacksquare:■ checkmark:✓ colon:: uparrow:↑ downarrow:↓').split(' ').map((pair) => pair.split(/:(.*)/s)));
const FUNCTIONS = new Set(('sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp lim max min gcd lcm det dim ker deg '
  + 'arg sup inf Pr limsup liminf').split(' '));
const SPACES = { ',': '0.17em', ':': '0.22em', ';': '0.28em', '!': '-0.1em', ' ': '0.25em', quad: '1em', qquad: '2em', enspace: '0.5em', thinspace: '0.17em' };
const TEXTS = { text: '', textrm: '', mbox: '', mathrm: '', operatorname: '', textbf: 'bold', textit: 'italic', mathbf: 'bold', boldsymbol: 'bold',
  mathit: 'italic', mathbb: 'double', mathcal: '', mathsf: '', mathfrak: '', mathtt: '', texttt: '', textnormal: '',  emph: 'italic', textsf: '' };
const DOUBLE = { R: 'ℝ', N: 'ℕ', Z: 'ℤ', Q: 'ℚ', C: 'ℂ', P: 'ℙ', F: '𝔽', E: '𝔼' };
const ACCENTS = { overline: '‾', bar: '¯', hat: '^', widehat: '^', vec: '→', overrightarrow: '→', tilde: '~', widetilde: '~', dot: '˙', ddot: '¨', overarc: '⌒', check: 'ˇ' };
const FENCES = { matrix: ['', ''], pmatrix: ['(', ')'], bmatrix: ['[', ']'], vmatrix: ['|', '|'], Vmatrix: ['‖', '‖'], cases: ['{', ''], array: ['', ''],
  smallmatrix: ['', ''], aligned: ['', ''], 'align*': ['', ''], align: ['', ''], 'gather*': ['', ''], gather: ['', ''], split: ['', ''], 'eqnarray*': ['', ''],
  eqnarray: ['', ''], 'equation*': ['', ''], equation: ['', ''], 'alignat*': ['', ''], 'multline*': ['', ''], tabular: ['', ''] };
const QUIET = new Set(('displaystyle textstyle scriptstyle limits nolimits bigl bigr Bigl Bigr biggl biggr big Big bigg Bigg hfill nonumber notag allowbreak '
  + 'rm bf it displaylimits hline noindent centering').split(' '));
const BIG = new Set(['∑', '∏', 'lim', 'max', 'min', 'sup', 'inf', 'limsup', 'liminf', '⋃', '⋂']);
