"""The rows of the table of methods; see `rmgym.rewards._methods`."""

from __future__ import annotations

from rmgym.rewards._methods import MethodCard as Card

# fmt: off
CARDS: tuple[Card, ...] = (
    Card(
        "adasearch", "AdaSearch", "outcome", "task known, or closed_book_solve_rate; threshold",
        "1[searched = (solve rate < threshold)]", "third-party notes, abstract", "secondary",
    ),
    Card(
        "aligndistil", "AlignDistil", "token", "probabilities and logits of two models",
        "w = beta2 sum|p_dpo - p_ref| + 0.001; z = w (z_dpo - z_ref) + z_dpo; scale beta / w",
        "aligndistil_trainer.py", "source",
    ),
    Card(
        "answer_visible", "-", "turn", "task references; observations",
        "1[a reference first stands in what a search showed]", "-", "ours",
    ),
    Card(
        "bleuberi", "BLEUBERI", "outcome", "task references",
        "BLEU-4, +1 on both sides of every order, shortest-reference brevity",
        "training/dataset.py", "source",
    ),
    Card(
        "carr", "CaRR", "outcome", "task rubrics; event pages, identified, judge_supported",
        "statements reached from E0 over supported ones / all", "launch_server.py", "source",
    ),
    Card(
        "cdr", "CDR", "outcome", "two scorers", "log pi_strong(y|x) - log pi_weak(y|x), summed",
        "third-party notes", "secondary",
    ),
    Card(
        "clip", "Clip", "turn", "a process score per turn; eta", "min(r_k - eta, 0)",
        "arXiv 2410.15115", "secondary",
    ),
    Card("clip_range", "-", "parts", "a term", "min(max(x, low), high)", "-", "ours"),
    Card(
        "coreact", "Co-ReAct", "outcome",
        "task expert_borda; event rubric_ranking, criteria, atomic_criteria, weights",
        "0.75 (rho + 1)/2 + 0.15 atomic share + 0.10 format", "rubric_rl/reward_fn.py", "source",
    ),
    Card(
        "cream", "CREAM", "group", "two rankings", "C = (tau + 1)/2; loss C L + (1 - C) L_reversed",
        "cal_consistency.py", "source",
    ),
    Card(
        "curriculum", "-", "parts", "terms with schedules; training step", "sum_i w_i(step) x_i",
        "-", "ours",
    ),
    Card(
        "delta", "Delta", "turn", "a process score per turn",
        "r_k - r_{k+1}, then r_{K-1}, then 0; granted at the end", "arXiv 2410.15115", "secondary",
    ),
    Card(
        "endogenous", "Generalist reward models", "turn", "event logits, actions",
        "sum_h Q(s_h, a_h) - V(s_{h+1}), V = alpha logsumexp(Q / alpha)", "third-party notes",
        "secondary",
    ),
    Card("event_score", "-", "turn", "event (any key)", "the recorded number", "-", "ours"),
    Card(
        "execution_margin", "stand-in for Text-to-SQL contrastive", "outcome",
        "event executes_to_gold, sim_gold, sim_negatives",
        "1[same result] + w (sim to gold - mean sim to negatives)", "abstract", "reconstructed",
    ),
    Card(
        "gate", "-", "parts", "a term; outcome term",
        "none: x; positive_only: x if right else min(x, 0); renorm: x + o - 1; scale: c(o) x", "-",
        "ours",
    ),
    Card(
        "gold_passage", "-", "turn", "task gold_passages; event doc_ids",
        "1[a gold passage newly found]", "-", "ours",
    ),
    Card(
        "judged", "-", "outcome", "a rubric; a judge, by default the scripted one",
        "sum of w_c rank_c / sum of w_c", "-", "ours",
    ),
    Card(
        "keyword_explanation", "stand-in for CogRE", "outcome", "task keywords; outcome term",
        "correct + w recall", "abstract, arXiv 2510.06198", "reconstructed",
    ),
    Card(
        "keyword_recall", "-", "outcome", "task keywords; outcome term",
        "share of keywords said, right answers only", "-", "ours",
    ),
    Card(
        "length_penalty", "stand-in for Beyond Monolithic Rewards", "outcome", "target",
        "-min(1, excess / target) ^ exponent", "abstract", "reconstructed",
    ),
    Card(
        "lexicographic", "-", "parts", "terms; all but the last 0 or 1",
        "t_1 (1 + t_2 (1 + ... t_n))", "-", "ours",
    ),
    Card(
        "llm_specific_utility", "LLM-specific utility", "turn",
        "task known; event correct_with_passages, doc_ids",
        "1[right with passages > right without]; signed: the difference",
        "arXiv 2510.11358, section 3.2; signed form ours", "paper",
    ),
    Card(
        "medix_r1", "MediX-R1", "outcome",
        "task references; event judge_reply, cosine, modality_ok, format_ok",
        "0.9 (0.575 judge + 0.375 [cos >= 0.8] + 0.05 modality) + 0.1 format",
        "reward_function/medical.py", "source",
    ),
    Card(
        "memsifter", "MemSifter", "outcome", "task memories; event baseline_score, tier_scores",
        "sum_i w_i (s_i - s_0), w_i = C(F_i) - C(F_{i+1}), C(k) = 1/log2(k + 1)",
        "genrank_verl/task_reward_score.py", "source",
    ),
    Card(
        "normalise_columns", "GDPO, first step", "group", "reward columns of a group",
        "(x - mean) / (std + eps) per column", "verl, trl", "source",
    ),
    Card(
        "nugget_rollup", "stand-in for Search-Gen-V's policy reward", "outcome",
        "task nuggets; event nugget_labels", "strict: share of support; lenient: mean(1, 0.5, 0)",
        "-", "reconstructed",
    ),
    Card(
        "page_and_items", "stand-in for PageLLM", "outcome", "event page, items",
        "w page + (1 - w) mean(items)", "abstract", "reconstructed",
    ),
    Card(
        "passed_tests", "-", "turn", "event tests_passed, tests_total",
        "gain in the share of passed tests", "-", "ours",
    ),
    Card(
        "ppr", "PPR", "turn", "a process score per turn; outcome term",
        "(p_t - 1/2) + (o - 1/2); granted at the end", "abstract, reviews", "reconstructed",
    ),
    Card("product", "-", "parts", "terms", "prod_i x_i", "-", "ours"),
    Card(
        "query_quality", "SmartSearch", "turn", "event doc_ids, useful; K",
        "1[documents seen before <= K] 1[useful]", "arXiv 2601.04888, Eqs. 8-17", "paper",
    ),
    Card(
        "qvalue", "Step-level Q-value", "group", "log-probabilities under policy and reference",
        "beta log(pi / pi_ref); argmax", "third-party notes", "secondary",
    ),
    Card(
        "r3rag", "R3-RAG", "turn", "event relevance, doc_ids; outcome term",
        "right: 1.6 s, then 2; wrong: 0.8 s, then 0; none: 0.9 s; bad format: -0.9; at the end",
        "ppo_utils/experience_maker.py", "source",
    ),
    Card(
        "record_support", "-", "turn", "event record; observations after searches",
        "share of supported sentences - 1", "after EXSEARCH's records", "ours",
    ),
    Card(
        "reference_judge", "Reference-guided judge", "group", "winners in both orders",
        "1 or 0 if both orders agree, else 0.5", "abstract; protocol ours", "reconstructed",
    ),
    Card(
        "rewardanything", "RewardAnything", "outcome", "task gold_scores",
        "(1 - sum penalty / sum (1 + |gap|)) times coverage",
        "rewardanything/processing.py; coverage factor ours", "source",
    ),
    Card(
        "sar", "SAR", "outcome", "a scorer; outcome term",
        "max((ppl(a) - ppl(a|q)) / (ppl(a) + 1e-9), -1)", "efficiency_reward.py", "source",
    ),
    Card(
        "sata_bench", "SATA-BENCH", "outcome", "task gold_choices",
        "exact match, Jaccard or F1 of the chosen letters", "metrics/metrics.py", "source",
    ),
    Card(
        "scir", "SCIR", "group", "signs of two judges", "keep pairs on which both agree",
        "third-party notes", "secondary",
    ),
    Card(
        "search_gen_v", "Search-Gen-V", "outcome",
        "task gold_labels; event labels, reasoning_format, output_format",
        "0.35 macro F1 + 0.35 exact + 0.2 reasoning + 0.1 output", "reward_score/search_gen_v.py",
        "source",
    ),
    Card(
        "search_needed", "-", "turn", "task known, gold_passages; event doc_ids",
        "1[search needed] - 1", "-", "ours",
    ),
    Card(
        "smartsearch", "SmartSearch", "outcome", "query labels; outcome term; gamma, phi",
        "right: max(1 - gamma bad, phi_min); wrong: min(gamma good, phi_max); + lambda format",
        "arXiv 2601.04888, Eqs. 8-17", "paper",
    ),
    Card(
        "statement_truth", "stand-in for RLFH", "outcome", "event statements",
        "mean of 1, 0, -1 + w helpful", "abstract", "reconstructed",
    ),
    Card(
        "themis", "Themis", "group", "two rewards, a language-model loss",
        "L_lm + 0.5 (-log sigmoid(r_chosen - r_rejected))", "src/models/reward_model.py", "source",
    ),
    Card(
        "tiered_quality", "stand-in for OPTIAGENT", "outcome", "event format, feasible, accuracy",
        "f (1 + feasible (1 + accuracy))", "abstract", "reconstructed",
    ),
    Card(
        "tool_call_errors", "stand-in for TTPA", "turn", "event gold_call",
        "1 - (missing + extra + wrong) / (gold parameters + extra)", "abstract", "reconstructed",
    ),
    Card(
        "toolrl", "ToolRL", "turn", "event gold_calls, gold_response",
        "format {0, 1} + 6 S / S_max - 3", "reward_score/rlla.py", "source",
    ),
    Card(
        "treg", "T-REG", "turn", "a scorer, two prompts",
        "mean of sigmoid(log pi(y|better) - log pi(y|worse)) - 0.5", "third-party notes",
        "secondary",
    ),
    Card(
        "truthrl", "TruthRL", "outcome", "outcome term", "1 right, 0 abstained, -1 wrong",
        "arXiv 2509.25760", "paper",
    ),
    Card(
        "vas", "VAS", "token", "logits, values", "logits + beta (V - mean V over the top k)",
        "vas_trainer.py", "source",
    ),
    Card(
        "verdict_and_tool", "stand-in for OpenRM", "outcome",
        "task verdict, tool_needed; event verdict", "1[verdict right] + w 1[tool used = needed]",
        "abstract, arXiv 2510.24636", "reconstructed",
    ),
    Card("weighted_sum", "-", "parts", "terms with weights", "sum_i w_i x_i", "-", "ours"),
)
# fmt: on
